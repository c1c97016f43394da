//! Strangers, members and their frames at a host: nothing makes it panic, its outputs depend on its
//! inputs alone, revisions grow by one, and nothing has an effect but in the name of whoever proved
//! on this very link to be that person.

use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::FutureExt;
use hustings_outbox::{Batch, MemoryStore, Store};
use hustings_protocol::handshake::{Nonce, Side, Signature, Transcript, VERSION};
use hustings_protocol::{
    Challenge, Command, CommandId, Epoch, Hello, Limits, Message, Numbered, OptionAdd, PeerId,
    Proof, Revision, Role, RoleUpdate, Seq, SettingsUpdate, SyncRequest, UserProfile, Vote, batch,
};
use hustings_room::driver::records;
use hustings_room::{DownReason, Host, LinkId, Moment, Output, Owner, Record};

use crate::input::Input;
use crate::people::{
    OWNER, acceptor, config, device, dialler, key, option, peer, poll, room, setup,
};

/// The inputs of one run.
const MAX_STEPS: usize = 200;

pub(super) fn run(bytes: &[u8]) {
    let (first, again) = (Run::of(bytes), Run::of(bytes));
    assert_eq!(
        first.outputs, again.outputs,
        "the same inputs, other outputs"
    );
}

#[derive(Debug)]
struct Link {
    id: LinkId,
    channel: u64,
    heard: Option<Hello>,
    challenge: Option<Challenge>,
    /// The peer that has proved to be at the other end.
    proven: Option<PeerId>,
    is_up: bool,
    last: Option<Bytes>,
}

impl Link {
    /// The signature of `key`'s holder for what was said on this link.
    fn signature(&self, hello: &Hello, key: &SigningKey) -> Option<Signature> {
        let binding = dialler(self.channel);
        let transcript = Transcript {
            owner: peer(OWNER),
            participant: hello.peer_id,
            poll_id: hello.poll_id,
            device: hello.device,
            participant_nonce: hello.nonce,
            owner_nonce: self.challenge.as_ref()?.nonce,
            owner_binding: &binding.remote,
            participant_binding: &binding.local,
        };
        Some(transcript.sign(Side::Participant, key))
    }
}

struct Run {
    host: Host,
    now: Moment,
    disk: MemoryStore,
    links: Vec<Link>,
    /// Every frame so far, for those who say it again elsewhere.
    said: Vec<Vec<u8>>,
    revision: Revision,
    outputs: Vec<Output>,
}

impl Run {
    fn of(bytes: &[u8]) -> Self {
        let mut run = Self {
            host: Host::new(&setup(OWNER, 0), Moment::START),
            now: Moment::START,
            disk: MemoryStore::new(),
            links: Vec::new(),
            said: Vec::new(),
            revision: Revision::default(),
            outputs: Vec::new(),
        };
        let owner = Owner::create(setup(OWNER, 1), poll()).unwrap();
        run.revision = owner.revision();
        run.host.open(owner, run.now);
        run.drain(Some(peer(OWNER)));
        let mut input = Input::new(bytes);
        for _ in 0..MAX_STEPS {
            if input.is_empty() {
                break;
            }
            run.step(&mut input);
        }
        run.is_in_its_journal();
        run
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let now = self.now;
        let choice = input.below(12);
        let which = input.below(self.links.len().max(1));
        match choice {
            0 => self.link_up(),
            1 => {
                let frame = input.some().to_vec();
                let frame = self.repeated(&frame).unwrap_or(frame);
                self.hears(which, frame);
            }
            2 => {
                let frame = Message::Hello(hello(input)).encode();
                let frame = input.altered(&frame);
                self.hears(which, frame);
            }
            3 => self.proves(which, input),
            4 | 5 => {
                let frame = command(input).encode();
                let frame = input.altered(&frame);
                self.hears(which, frame);
            }
            6 => {
                self.now = now + Duration::from_millis(u64::from(input.number()) * 4);
                self.host.handle_timeout(self.now);
                self.drain(None);
            }
            7 => {
                if let Some(link) = self.links.get_mut(which) {
                    link.is_up = false;
                    let id = link.id;
                    self.host
                        .handle_link_down(id, DownReason::Lost(String::new()), now);
                    self.drain(None);
                }
            }
            8 => {
                if let Some(link) = self.links.get(which)
                    && let Some(frame) = link.last.clone()
                {
                    self.host.handle_blocked(link.id, &frame, now);
                    self.drain(None);
                }
            }
            9 => {
                if let Some(link) = self.links.get(which) {
                    self.host.handle_writable(link.id, now);
                    self.drain(None);
                }
            }
            10 => {
                if let Message::Command(command) = command(input) {
                    let poll_id = room().poll_id;
                    let _ = self.host.submit(poll_id, command.command, now);
                    self.drain(Some(peer(OWNER)));
                }
            }
            _ => {
                if let Some(frame) = input.pick(&self.said).cloned() {
                    let frame = input.altered(&frame);
                    self.hears(which, frame);
                }
            }
        }
    }

    /// Bytes that begin like a batch make one of what was said before, which those behind them
    /// choose.
    fn repeated(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let chosen = bytes.strip_prefix(b"[")?.iter();
        let said = chosen.filter_map(|at| self.said.get(usize::from(*at)));
        let said: Vec<Bytes> = said.map(|frame| Bytes::copy_from_slice(frame)).collect();
        (said.len() > 1).then(|| batch::join(&said).to_vec())
    }

    fn link_up(&mut self) {
        let channel = self.links.len() as u64;
        let id = LinkId::accepted(channel);
        self.links.push(Link {
            id,
            channel,
            heard: None,
            challenge: None,
            proven: None,
            is_up: true,
            last: None,
        });
        self.host.handle_link_up(id, acceptor(channel), self.now);
        self.drain(None);
    }

    /// A proof for what was said on this link, of the right person or of another.
    fn proves(&mut self, which: usize, input: &mut Input<'_>) {
        let signer = input.byte();
        let Some(link) = self.links.get(which) else {
            return;
        };
        let Some(hello) = link.heard else { return };
        let right = (0..5).find(|who| peer(*who) == hello.peer_id);
        let signer = match (signer < 200, right) {
            (true, Some(right)) => right,
            _ => signer % 5,
        };
        let Some(signature) = link.signature(&hello, &key(signer)) else {
            return;
        };
        let frame = Message::Proof(Proof { signature }).encode();
        let frame = input.altered(&frame);
        self.hears(which, frame);
    }

    fn hears(&mut self, which: usize, frame: Vec<u8>) {
        let Some(link) = self.links.get_mut(which) else {
            return;
        };
        if !link.is_up {
            return;
        }
        let messages = match batch::is_batch(&frame) {
            true => self.host.messages(&frame).unwrap_or_default(),
            false => vec![&frame[..]],
        };
        for message in messages {
            match Message::decode(message, &Limits::default()) {
                Ok(Message::Hello(hello)) if link.challenge.is_none() => link.heard = Some(hello),
                Ok(Message::Proof(proof)) if link.proven.is_none() => {
                    let right = link.heard.and_then(|hello| {
                        let key = (0..5)
                            .map(key)
                            .find(|key| PeerId::of(key) == hello.peer_id)?;
                        let signature = link.signature(&hello, &key)?;
                        (signature == proof.signature).then_some(hello.peer_id)
                    });
                    link.proven = right;
                }
                _ => {}
            }
        }
        let (id, author) = (link.id, link.proven);
        self.host.handle_frame(id, &frame, self.now);
        self.said.push(frame);
        self.drain(author);
    }

    /// Does everything that the host wants done after an input of `author`.
    fn drain(&mut self, author: Option<PeerId>) {
        while let Some(output) = self.host.poll_output() {
            match &output {
                Output::Persist(persist) => {
                    match &persist.record {
                        Record::JournalUpdate {
                            revision,
                            author: by,
                            ..
                        } => {
                            assert_eq!(*revision, self.revision.next(), "revisions go up by one");
                            assert_eq!(Some(*by), author, "an effect in somebody else's name");
                            self.revision = *revision;
                        }
                        Record::JournalRejection { author: by, .. } => {
                            assert_eq!(Some(*by), author, "an answer in somebody else's name");
                        }
                        _ => {}
                    }
                    let mut batch = Batch::new();
                    let durability = records::durability(&persist.record);
                    records::stage(&mut batch, device(OWNER), persist.as_ref().clone());
                    let committed = self.disk.commit(batch, durability).now_or_never();
                    committed.unwrap().unwrap();
                }
                Output::Send { link, frame } => self.is_sent(*link, frame),
                Output::Broadcast {
                    links,
                    except,
                    frame,
                } => {
                    for link in links.iter().filter(|link| Some(**link) != *except) {
                        self.is_sent(*link, frame);
                    }
                }
                Output::Hangup { link } => {
                    let mut links = self.links.iter_mut();
                    links.find(|it| it.id == *link).unwrap().is_up = false;
                }
                Output::Dial { .. } => panic!("a host dials nobody"),
                _ => {}
            }
            self.outputs.push(output);
        }
        assert_eq!(
            self.host.owner(room().poll_id).unwrap().revision(),
            self.revision
        );
        // Whoever proved nothing is a handshake, of which there are few.
        let strangers = self
            .links
            .iter()
            .filter(|it| it.is_up && it.proven.is_none());
        assert!(
            strangers.count() <= config().max_handshakes,
            "too many handshakes"
        );
    }

    fn is_sent(&mut self, to: LinkId, frame: &Bytes) {
        let read = Message::decode(frame, &Limits::default());
        let message = read.unwrap_or_else(|error| panic!("{error}: {}", frame.escape_ascii()));
        let link = self.links.iter_mut().find(|link| link.id == to).unwrap();
        assert!(link.is_up, "{message:?} on a link that is down");
        match message {
            Message::Challenge(challenge) => {
                assert_eq!(link.challenge, None, "one challenge for a link");
                link.challenge = Some(challenge);
            }
            Message::Error(_) => {}
            other => assert!(link.proven.is_some(), "a stranger is told {other:?}"),
        }
        link.last = Some(frame.clone());
    }

    /// The poll can be opened again from what was stored, and is the same.
    fn is_in_its_journal(&self) {
        let journal = records::load_journal(&self.disk, room()).now_or_never();
        let journal = journal.unwrap().unwrap().unwrap();
        let restored = Owner::restore(setup(OWNER, 2), journal).unwrap();
        let here = self.host.owner(room().poll_id).unwrap();
        assert_eq!(restored.revision(), here.revision());
        assert_eq!(restored.poll(), here.poll());
    }
}

fn hello(input: &mut Input<'_>) -> Hello {
    let who = input.byte() % 5;
    let lie = input.byte();
    Hello {
        v: VERSION,
        poll_id: room().poll_id,
        peer_id: peer(who),
        device: device(if lie & 1 == 0 { who } else { who + 1 }),
        nonce: Nonce::from_bytes([input.byte(); 32]),
        epoch: (lie & 2 != 0).then(|| Epoch::new(u64::from(lie))),
        revision: (lie & 4 != 0).then(|| Revision::new(u64::from(lie >> 3)).unwrap()),
        history: None,
        oldest_seq: Seq::new(u64::from(lie >> 6) + 1).unwrap(),
    }
}

/// A command, or a message that is none.
fn command(input: &mut Input<'_>) -> Message {
    let poll_id = room().poll_id;
    let (seq, what) = (input.byte(), input.byte());
    let command = match input.below(8) {
        0 => Command::Vote(Vote {
            poll_id,
            option_ids: vec![option(what % 3)],
        }),
        1 => Command::Vote(Vote {
            poll_id,
            option_ids: vec![option(what % 3), option(what >> 4)],
        }),
        2 => Command::AddOption(OptionAdd {
            poll_id,
            option_id: option(what % 8),
            label: String::from_utf8_lossy(input.bytes(usize::from(what) % 9)).into_owned(),
        }),
        3 => Command::UpdateRole(RoleUpdate {
            poll_id,
            peer_id: peer(what % 5),
            role: if what & 8 == 0 {
                Role::Moderator
            } else {
                Role::Voter
            },
        }),
        4 => Command::UpdateSettings(SettingsUpdate::new(poll_id).closed(what & 1 == 0)),
        5 => Command::SetProfile(UserProfile {
            name: String::from_utf8_lossy(input.bytes(usize::from(what) % 9)).into_owned(),
        }),
        6 => return Message::Ping,
        _ => {
            return Message::SyncRequest(SyncRequest {
                poll_id,
                known: None,
            });
        }
    };
    Message::Command(Numbered {
        command_id: CommandId::new(1_790_000_000_000 + u64::from(seq), [what; 10]),
        seq: Seq::new(u64::from(seq % 16) + 1).unwrap(),
        seen: None,
        command,
    })
}
