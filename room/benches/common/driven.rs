//! An owner with its driver, and a voter at the other end of a network in memory.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hustings_outbox::{Batch, Durability, MemoryStore, RedbStore, Store, StoreError, Write};
use hustings_protocol::{Address, Message, PollId, batch};
use hustings_room::LinkId;
use hustings_room::driver;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_transport_mem::{Latency, MemTransport, MemoryNet, VirtualRuntime};
use redb::{Database, TableDefinition};

use super::{Votes, challenge_in, draft, hello, key_of, limits, proof, setup};
use crate::measured;

/// So many commands at a time, in one frame.
pub(crate) fn drive(iterations: usize, at_a_time: u64, store: impl Store + Clone + 'static) {
    let mut runtime = VirtualRuntime::new();
    let clock = runtime.clock().clone();
    let net = MemoryNet::new(1, Latency::ZERO, Arc::new(clock.clone()));
    let setup = setup();
    let address = Address::Owner(setup.peer());
    let transport = net.transport(address).expect("the address is free");
    let (hosting, driver) = driver::host(setup, transport, store, clock);
    runtime.spawn(async { driver.run().await.expect("the store does not fail") });
    let (room, mut voter) = block_on(&mut runtime, async {
        let room = hosting.create(draft()).await.expect("a sound draft");
        let voter = Voter::join(&net, address, room.id().poll_id).await;
        (room, voter)
    });
    let mut votes = Votes::of(&room.poll().expect("it is hosted"));
    let mut left = iterations;
    while left > 0 {
        let frames: Vec<Bytes> = (0..left.min(1_024)).map(|_| votes.frame()).collect();
        left -= frames.len();
        measured(|| {
            block_on(&mut runtime, async {
                for frames in frames.chunks(at_a_time as usize) {
                    voter.say(batch::join(frames));
                    for _ in frames {
                        black_box(voter.is_told_the_outcome().await);
                    }
                }
            });
        });
    }
    assert_eq!(room.revision().map(|it| it.get()), Some(iterations as u64));
}

/// Nothing takes time on this clock; a disk takes another's.
fn block_on<F: Future>(runtime: &mut VirtualRuntime, work: F) -> F::Output {
    let done = runtime.block_on(work, Duration::from_secs(1));
    done.expect("nothing takes time here")
}

/// On a new file of this folder, as [`drive`].
pub(crate) fn drive_on_disk(folder: &Path, iterations: usize, at_a_time: u64) {
    let store = RedbStore::open(folder.join("store.redb")).expect("it is new");
    drive(iterations, at_a_time, Waits(store));
}

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// The records that a driver would have made of so many commands, by redb alone in a new file of
/// this folder: each batch in a transaction of its own.
pub(crate) fn redb_alone(folder: &Path, commands: usize, at_a_time: u64) {
    let spy = Spy::default();
    drive(commands, at_a_time, spy.clone());
    let database = Database::create(folder.join("alone.redb")).expect("it is new");
    for batch in spy.take() {
        let transaction = database.begin_write().expect("nobody else writes");
        let mut records = transaction.open_table(RECORDS).expect("it is a table");
        for write in batch.writes() {
            match write {
                Write::Put { key, value } => records.insert(&key[..], &value[..]).map(drop),
                Write::Delete { key } => records.remove(&key[..]).map(drop),
                Write::DeleteRange { range } => {
                    records.retain_in(&range.start[..]..&range.end[..], |_, _| false)
                }
            }
            .expect("the disk works");
        }
        drop(records);
        transaction.commit().expect("the disk works");
    }
}

/// A store that has done what it is asked for before it says anything: virtual time does not pass
/// while another thread writes.
#[derive(Clone)]
struct Waits(RedbStore);

#[async_trait]
impl Store for Waits {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.0.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.0.scan(range).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        wait_for(self.0.commit(batch, durability))
    }
}

/// Blocks this thread. The executor's own function refuses to, within another one's task.
fn wait_for<F: Future>(work: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut work = pin!(work);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        thread::park();
    }
}

/// A store that remembers what was committed.
#[derive(Clone, Default)]
pub(crate) struct Spy {
    store: MemoryStore,
    committed: Arc<Mutex<Vec<Batch>>>,
}

impl Spy {
    fn remember(&self, batch: &Batch) {
        let committed = self.committed.lock();
        let mut committed = committed.unwrap_or_else(PoisonError::into_inner);
        committed.push(batch.clone());
    }

    pub(crate) fn take(&self) -> Vec<Batch> {
        std::mem::take(
            &mut self
                .committed
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[async_trait]
impl Store for Spy {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key).await
    }

    async fn scan(&self, range: Range<Bytes>) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        self.store.scan(range).await
    }

    async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.remember(&batch);
        self.store.commit(batch, durability).await
    }
}

/// A participant at the other end of a network, which says what it is given.
struct Voter {
    transport: MemTransport,
    link: LinkId,
    /// The messages that have come in one frame and were not asked for yet.
    heard: VecDeque<Bytes>,
}

impl Voter {
    /// Dials, and goes through the handshake until it has been told the poll and who is there.
    async fn join(net: &MemoryNet, owner: Address, poll_id: PollId) -> Self {
        let key = key_of(0);
        let hello = hello(&key, poll_id);
        let address = Address::Participant(hello.peer_id, hello.device);
        let mut voter = Self {
            transport: net.transport(address).expect("the address is free"),
            link: LinkId::dialled(0),
            heard: VecDeque::new(),
        };
        voter.transport.dial(voter.link, &owner);
        let TransportEvent::LinkUp { binding, .. } = voter.event().await else {
            panic!("the owner is there");
        };
        voter.say(Message::Hello(hello).encode());
        let challenge = challenge_in(&voter.hear().await).expect("a hello is answered");
        voter.say(proof(&key, &hello, &challenge, &binding));
        let limits = limits();
        while !matches!(
            Message::decode(&voter.hear().await, &limits),
            Ok(Message::Discovery(_))
        ) {}
        voter
    }

    fn say(&mut self, frame: Bytes) {
        let sent = self.transport.send(self.link, frame);
        assert_eq!(sent, SendOutcome::Queued);
    }

    /// The next `ack`. Of those who come and go it may hear before that.
    async fn is_told_the_outcome(&mut self) -> Bytes {
        loop {
            let message = self.hear().await;
            if message.starts_with(br#"{"type":"ack""#) {
                return message;
            }
        }
    }

    /// The next message.
    async fn hear(&mut self) -> Bytes {
        if let Some(message) = self.heard.pop_front() {
            return message;
        }
        let TransportEvent::Frame { frame, .. } = self.event().await else {
            panic!("the link goes on");
        };
        if !batch::is_batch(&frame) {
            return frame;
        }
        let messages = batch::messages(&frame, frame.len()).expect("a sound batch");
        self.heard = messages.into_iter().map(|it| frame.slice_ref(it)).collect();
        self.heard.pop_front().expect("no batch is empty")
    }

    async fn event(&mut self) -> TransportEvent {
        poll_fn(|cx| self.transport.poll_event(cx)).await
    }
}
