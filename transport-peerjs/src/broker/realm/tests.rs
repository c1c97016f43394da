use super::*;
use proptest::prelude::*;

const TOKEN: &str = "t";

struct Socket {
    id: &'static str,
    number: SocketNumber,
    mailbox: mpsc::UnboundedReceiver<Mail>,
}

impl Socket {
    /// Everything that has come, as texts.
    fn mail(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.mailbox.try_recv().ok())
            .map(|mail| match mail {
                Mail::Text(letter) => letter.text.clone(),
                Mail::Close(_) => "closed".into(),
            })
            .collect()
    }
}

fn realm(limits: BrokerLimits) -> Realm {
    Realm::new(&BrokerConfig {
        limits,
        ..BrokerConfig::default()
    })
}

fn source(last: u8) -> Source {
    std::net::IpAddr::from([10, 0, 0, last]).into()
}

/// Everybody comes from an address of their own.
fn join(realm: &mut Realm, id: &'static str, now: Instant) -> Socket {
    join_from(realm, id, source(id.as_bytes()[0]), now)
}

fn join_from(realm: &mut Realm, id: &'static str, source: Source, now: Instant) -> Socket {
    claim(realm, id, TOKEN, source, now).unwrap()
}

fn claim(
    realm: &mut Realm,
    id: &'static str,
    token: &str,
    source: Source,
    now: Instant,
) -> Result<Socket, Refused> {
    let (sender, mailbox) = mpsc::unbounded_channel();
    let number = realm.register(id, holder(token, source, now), sender, now)?;
    Ok(Socket {
        id,
        number,
        mailbox,
    })
}

fn holder(token: &str, source: Source, now: Instant) -> Holder {
    Holder {
        token: token.into(),
        is_proven: false,
        source,
        since: now,
    }
}

/// Joins with the key of the id, whatever the token.
fn prove(realm: &mut Realm, id: &'static str, source: Source, now: Instant) -> Socket {
    let (sender, mailbox) = mpsc::unbounded_channel();
    let proven = Holder {
        is_proven: true,
        ..holder("of today", source, now)
    };
    let number = realm.register(id, proven, sender, now).unwrap();
    Socket {
        id,
        number,
        mailbox,
    }
}

/// Joins, is there for a second, and loses its socket.
fn visit(realm: &mut Realm, id: &'static str, source: Source, now: &mut Instant) {
    let socket = join_from(realm, id, source, *now);
    *now += Duration::from_secs(1);
    realm.unregister(socket.id, socket.number, *now);
}

fn refused(realm: &mut Realm, id: &'static str, source: Source, now: Instant) -> Option<Refused> {
    claim(realm, id, "another", source, now).err()
}

/// The address of an owner: an id that is a key.
const OWNER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn say(realm: &mut Realm, socket: &Socket, text: &str, now: Instant) {
    realm.receive(socket.id, socket.number, text, now);
}

#[test]
fn a_second_leave_does_not_evict_the_next_holder() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    let old = join(&mut realm, "a", now);
    say(&mut realm, &old, r#"{"type":"LEAVE"}"#, now);
    let mut new = join(&mut realm, "a", now);
    say(&mut realm, &old, r#"{"type":"LEAVE"}"#, now);
    realm.unregister(old.id, old.number, now);
    assert_eq!(realm.ids(), ["a"]);
    assert_eq!(new.mail(), [OPEN]);
}

#[test]
fn a_socket_that_was_taken_over_says_nothing_any_more() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    let mut old = join(&mut realm, "a", now);
    let mut other = join(&mut realm, "b", now);
    let mut new = join(&mut realm, "a", now);
    assert_eq!(old.mail(), [OPEN, "closed"]);
    say(&mut realm, &old, r#"{"type":"OFFER","dst":"b"}"#, now);
    assert_eq!(other.mail(), [OPEN]);
    say(&mut realm, &new, r#"{"type":"OFFER","dst":"b"}"#, now);
    assert_eq!(other.mail(), [r#"{"type":"OFFER","src":"a","dst":"b"}"#]);
    assert_eq!(new.mail(), [OPEN]);
}

#[test]
fn what_waits_for_the_absent_is_bounded_and_the_sender_is_told() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_queued_each: 2,
        max_queued: 3,
        ..BrokerLimits::default()
    });
    let [mut a, mut b] = ["a", "b"].map(|id| join(&mut realm, id, now));
    for _ in 0..5 {
        say(&mut realm, &a, r#"{"type":"OFFER","dst":"x"}"#, now);
    }
    for _ in 0..5 {
        say(&mut realm, &b, r#"{"type":"OFFER","dst":"y"}"#, now);
    }
    assert_eq!((realm.queued.used(), realm.waiting.len()), (3, 2));
    assert_eq!(a.mail().len(), 1 + 3);
    assert_eq!(b.mail().len(), 1 + 4);
    realm.tick(now + realm.expire_after);
    assert_eq!((realm.queued.used(), realm.queued_bytes.used()), (0, 0));
    assert_eq!(a.mail(), [r#"{"type":"EXPIRE","src":"x","dst":"a"}"#]);
    say(&mut realm, &a, r#"{"type":"OFFER","dst":"x"}"#, now);
    assert_eq!(realm.queued.used(), 1, "the sender has room again");
}

#[test]
fn who_is_flooded_stays_and_whoever_floods_is_told() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_unread_each: 200,
        ..BrokerLimits::default()
    });
    let mut honest = join_from(&mut realm, "h", source(1), now);
    let mut reader = join_from(&mut realm, "r", source(2), now);
    // The flood comes by two sockets of one address.
    let floods = ["f", "g"].map(|id| join_from(&mut realm, id, source(3), now));
    for flood in &floods {
        for _ in 0..20 {
            say(&mut realm, flood, r#"{"type":"OFFER","dst":"r"}"#, now);
        }
    }
    for mut flood in floods {
        let expire = format!(r#"{{"type":"EXPIRE","src":"r","dst":"{}"}}"#, flood.id);
        assert_eq!(flood.mail().last(), Some(&expire));
    }
    say(&mut realm, &honest, r#"{"type":"OFFER","dst":"r"}"#, now);
    let mail = reader.mail();
    assert!(
        mail.contains(&r#"{"type":"OFFER","src":"h","dst":"r"}"#.to_owned()),
        "{mail:?}"
    );
    assert!(!mail.contains(&"closed".to_owned()), "{mail:?}");
    assert_eq!(honest.mail(), [OPEN]);
    assert_eq!(realm.unread.used(), 0, "all letters are read");
}

#[test]
fn sockets_of_one_address_leave_room_for_an_offer_of_another() {
    const FLOODS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_queued_each: 10,
        max_queued: 20,
        ..BrokerLimits::default()
    });
    for id in FLOODS {
        let flood = join_from(&mut realm, id, source(1), now);
        for _ in 0..10 {
            say(&mut realm, &flood, r#"{"type":"OFFER","dst":"x"}"#, now);
        }
    }
    let mut honest = join_from(&mut realm, "h", source(2), now);
    say(&mut realm, &honest, r#"{"type":"OFFER","dst":"y"}"#, now);
    assert_eq!(honest.mail(), [OPEN], "it does not expire at once");
    let mut late = join_from(&mut realm, "y", source(3), now);
    assert_eq!(
        late.mail(),
        [OPEN, r#"{"type":"OFFER","src":"h","dst":"y"}"#]
    );
}

#[test]
fn a_full_server_says_so() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_peers: 1,
        ..BrokerLimits::default()
    });
    let _a = join(&mut realm, "a", now);
    let (sender, _mailbox) = mpsc::unbounded_channel();
    assert_eq!(
        realm.register("b", holder(TOKEN, source(1), now), sender.clone(), now),
        Err(Refused::Full)
    );
    assert!(
        realm
            .register("a", holder(TOKEN, source(1), now), sender, now)
            .is_ok(),
        "a takeover needs no room"
    );
}

#[test]
fn an_id_waits_for_whoever_had_it_last() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    visit(&mut realm, OWNER, source(1), &mut now);
    now += Duration::from_secs(119);
    realm.tick(now);
    // Its own address is no proof: a whole school has one.
    for last in [1, 2] {
        let taken = refused(&mut realm, OWNER, source(last), now);
        assert_eq!(taken, Some(Refused::Kept));
    }
    let owner = join_from(&mut realm, OWNER, source(3), now);
    realm.unregister(owner.id, owner.number, now);
    now += Duration::from_secs(120);
    assert_eq!(refused(&mut realm, OWNER, source(2), now), None);
}

#[test]
fn a_stock_page_that_is_loaded_again_comes_back_with_another_token() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    visit(&mut realm, "alice", source(1), &mut now);
    let taken = refused(&mut realm, "alice", source(2), now);
    assert_eq!(taken, Some(Refused::Kept));
    assert_eq!(refused(&mut realm, "alice", source(1), now), None);
}

#[test]
fn who_fell_silent_has_the_id_kept_and_who_left_has_not() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    let _silent = join_from(&mut realm, OWNER, source(1), now);
    now += BrokerConfig::default().alive_timeout;
    realm.tick(now);
    let taken = refused(&mut realm, OWNER, source(2), now);
    assert_eq!(taken, Some(Refused::Kept));
    let back = join_from(&mut realm, OWNER, source(1), now);
    say(&mut realm, &back, r#"{"type":"LEAVE"}"#, now);
    realm.unregister(back.id, back.number, now);
    assert_eq!(refused(&mut realm, OWNER, source(2), now), None);
}

#[test]
fn ids_are_free_at_once_if_that_is_set() {
    let mut now = Instant::now();
    let mut realm = Realm::new(&BrokerConfig {
        reserve_for: Duration::ZERO,
        ..BrokerConfig::default()
    });
    visit(&mut realm, OWNER, source(1), &mut now);
    assert_eq!(refused(&mut realm, OWNER, source(2), now), None);
}

#[test]
fn whoever_has_the_key_takes_the_id_and_nobody_takes_it_from_them() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    let mut stranger = join_from(&mut realm, OWNER, source(2), now);
    let mut owner = prove(&mut realm, OWNER, source(1), now);
    assert_eq!(stranger.mail(), [OPEN, "closed"]);
    // The token that is known is no key.
    let known = claim(&mut realm, OWNER, "of today", source(1), now);
    assert_eq!(known.err(), Some(Refused::Taken));
    // Another machine with the key.
    let other = prove(&mut realm, OWNER, source(3), now);
    assert_eq!(owner.mail(), [OPEN, "closed"]);
    realm.unregister(other.id, other.number, now);
    now += Duration::from_secs(24 * 60 * 60 - 1);
    realm.tick(now);
    let known = claim(&mut realm, OWNER, "of today", source(1), now);
    assert_eq!(known.err(), Some(Refused::Kept));
    let owner = prove(&mut realm, OWNER, source(1), now);
    realm.unregister(owner.id, owner.number, now);
    now += Duration::from_secs(24 * 60 * 60);
    assert_eq!(refused(&mut realm, OWNER, source(2), now), None);
}

#[test]
fn an_id_that_waits_for_a_token_is_given_to_whoever_has_the_key() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    visit(&mut realm, OWNER, source(2), &mut now);
    let owner = prove(&mut realm, OWNER, source(1), now);
    realm.unregister(owner.id, owner.number, now);
    let taken = refused(&mut realm, OWNER, source(2), now);
    assert_eq!(taken, Some(Refused::Kept));
}

#[test]
fn ids_that_prove_nothing_do_not_displace_one_that_does() {
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_reserved: 4,
        ..BrokerLimits::default()
    });
    // They were there before, at the same address.
    for id in ["a", "b", "c", "d"] {
        visit(&mut realm, id, source(1), &mut now);
    }
    let owner = prove(&mut realm, OWNER, source(1), now);
    realm.unregister(owner.id, owner.number, now);
    for id in ["e", "f", "g", "h"] {
        visit(&mut realm, id, source(1), &mut now);
    }
    let taken = refused(&mut realm, OWNER, source(3), now);
    assert_eq!(taken, Some(Refused::Kept));
    assert_eq!(refused(&mut realm, "b", source(3), now), None);
}

#[test]
fn ids_without_end_do_not_displace_one_that_was_there_before() {
    const FLOOD: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut now = Instant::now();
    let mut realm = realm(BrokerLimits {
        max_reserved: 8,
        ..BrokerLimits::default()
    });
    visit(&mut realm, OWNER, source(1), &mut now);
    // From another address, and from its own.
    for last in [2, 1] {
        for id in FLOOD {
            visit(&mut realm, id, source(last), &mut now);
        }
    }
    let taken = refused(&mut realm, OWNER, source(3), now);
    assert_eq!(taken, Some(Refused::Kept));
    let [ids, by_source, room] = realm.reserved.counts();
    assert_eq!((ids, by_source), (room, room));
    assert!(room <= 8, "{room}");
    // Whoever comes back, and is gone again, has been there since the first time.
    let back = join_from(&mut realm, OWNER, source(1), now);
    visit(&mut realm, "m", source(1), &mut now);
    realm.unregister(back.id, back.number, now);
    let taken = refused(&mut realm, OWNER, source(3), now);
    assert_eq!(taken, Some(Refused::Kept));
    realm.tick(now + BrokerConfig::default().reserve_for);
    assert_eq!(realm.reserved.counts(), [0; 3]);
}

proptest! {
    #[test]
    fn no_sequence_makes_it_panic_or_lose_count(
        steps in proptest::collection::vec((0..6_u8, 0..4_usize, 0..7_usize, 0..3_000_u64), 0..80),
    ) {
        const IDS: [&str; 4] = ["a", "b", "c", "d"];
        const TEXTS: [&str; 7] = [
            r#"{"type":"OFFER","dst":"a","payload":{"x":[1]}}"#,
            r#"{"type":"CANDIDATE","dst":"d"}"#,
            r#"{"type":"LEAVE"}"#,
            r#"{"type":"LEAVE","dst":"b"}"#,
            r#"{"type":"HEARTBEAT"}"#,
            r#"{"type":"EXPIRE","dst":""}"#,
            r#"{"type":7,"dst":[]}"#,
        ];
        let mut now = Instant::now();
        let mut realm = realm(BrokerLimits {
            max_queued_each: 3,
            max_queued: 5,
            max_unread_each: 300,
            max_peers: 3,
            max_reserved: 2,
            ..BrokerLimits::default()
        });
        let mut sockets: Vec<Socket> = Vec::new();
        for (step, id, text, wait) in steps {
            match step {
                0 => {
                    let (sender, mailbox) = mpsc::unbounded_channel();
                    if let Ok(number) = realm.register(IDS[id], holder(TOKEN, source(1), now), sender, now) {
                        sockets.push(Socket { id: IDS[id], number, mailbox });
                    }
                }
                1 => {
                    if let Some(socket) = sockets.get_mut(id) {
                        socket.mail();
                    }
                }
                2 => {
                    if let Some(socket) = sockets.get(id) {
                        realm.unregister(socket.id, socket.number, now);
                    }
                }
                3 => {
                    now += Duration::from_millis(wait);
                    realm.tick(now);
                }
                _ => {
                    if let Some(socket) = sockets.get(id) {
                        say(&mut realm, socket, TEXTS[text], now);
                    }
                }
            }
            let waiting: Vec<_> = realm.waiting.values().flatten().collect();
            prop_assert_eq!(waiting.len(), realm.queued.used());
            prop_assert!(waiting.len() <= 5 && realm.peers.len() <= 3);
            let bytes: usize = waiting.iter().map(|waiting| waiting.text.len()).sum();
            prop_assert_eq!(bytes, realm.queued_bytes.used());
            for (id, peer) in &realm.peers {
                let own = waiting.iter().filter(|waiting| waiting.src == *id).count();
                prop_assert_eq!(own, peer.queued);
                prop_assert!(peer.mailbox.unread.used() <= 300);
            }
            let [ids, by_source, room] = realm.reserved.counts();
            prop_assert!(room <= 2 && ids == room && by_source == room);
        }
        // Whoever was registered hears that it is over.
        realm.close();
        sockets.iter_mut().for_each(|socket| drop(socket.mail()));
        prop_assert_eq!(realm.unread.used(), 0);
    }
}

#[test]
fn an_answer_goes_to_the_socket_that_asked_or_to_none() {
    let now = Instant::now();
    let mut realm = realm(BrokerLimits::default());
    let old = join(&mut realm, "a", now);
    realm.tell("a", old.number, "first".into(), now);
    let mut new = join(&mut realm, "a", now);
    realm.tell("a", old.number, "late".into(), now);
    realm.tell("a", new.number, "second".into(), now);
    assert_eq!(new.mail(), [OPEN, "second"]);
}
