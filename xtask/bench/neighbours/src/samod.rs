//! samod: a repository for each participant and one for the hub, which all have one document; its
//! own executor for each, so that their work is told apart. Its documents and its protocol are
//! automerge's, with messages of its own around them. Its storage is the one in memory, which is
//! the one that it comes with.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, Value};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::executor::LocalPool;
use futures::future::BoxFuture;
use futures::task::LocalSpawnExt;
use samod::{
    AcceptorHandle, BackoffConfig, ConcurrencyConfig, DialError, Dialer, DocHandle, PeerId, Repo,
    Transport,
};
use url::Url;

use crate::{Meter, OPTIONS, System, name};

/// A repository, alone on its thread.
struct Node {
    pool: LocalPool,
    repo: Repo,
}

impl Node {
    fn new(peer: &str) -> Self {
        let mut pool = LocalPool::new();
        let repo = Repo::build_localpool(pool.spawner())
            .with_peer_id(PeerId::from(peer))
            .with_concurrency(ConcurrencyConfig::AsyncRuntime)
            .load_local();
        let repo = pool.run_until(repo);
        Self { pool, repo }
    }
}

/// An end of a link: what comes out of it, and what goes in.
struct End {
    out: UnboundedReceiver<Vec<u8>>,
    into: UnboundedSender<Vec<u8>>,
}

fn link() -> (End, Transport) {
    let (to_network, out) = unbounded();
    let (into, from_network) = unbounded();
    let transport = Transport::new(from_network.map(Ok::<_, Infallible>), to_network);
    (End { out, into }, transport)
}

impl End {
    fn taken(&mut self) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while let Ok(message) = self.out.try_recv() {
            taken.push(message);
        }
        taken
    }
}

/// Dials once.
struct Once(Mutex<Option<Transport>>);

impl Dialer for Once {
    type Error = Infallible;

    fn url(&self) -> Url {
        url()
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Infallible>>> {
        let transport = self.0.lock().ok().and_then(|mut it| it.take());
        let transport = transport.ok_or_else(|| DialError::transient(std::fmt::Error));
        Box::pin(async { transport })
    }
}

fn url() -> Url {
    Url::parse("ws://hub").expect("it is one")
}

struct Member {
    node: Node,
    end: End,
    doc: Rc<RefCell<Option<DocHandle>>>,
}

pub(crate) struct Room {
    hub: Node,
    acceptor: AcceptorHandle,
    ends: Vec<End>,
    doc: DocHandle,
    votes: ObjId,
    members: Vec<Member>,
}

impl Room {
    pub(crate) fn new(count: usize, meter: &mut Meter) -> Self {
        let mut made = None;
        meter.hub(|| {
            let mut hub = Node::new("hub");
            let mut poll = Automerge::new();
            let votes = poll.transact(|poll| {
                poll.put(ROOT, "title", "Tea or coffee?")?;
                for option in OPTIONS {
                    poll.put(ROOT, option, true)?;
                }
                poll.put_object(ROOT, "votes", ObjType::Map)
            });
            let votes = votes.expect("it is new").result;
            let doc = hub.pool.run_until(hub.repo.create(poll));
            let acceptor = hub.repo.make_acceptor(url()).expect("it runs");
            made = Some((hub, acceptor, doc.expect("it runs"), votes));
            Vec::<(usize, Vec<u8>)>::new()
        });
        let (hub, acceptor, doc, votes) = made.expect("it was made");
        let mut room = Self {
            hub,
            acceptor,
            ends: Vec::new(),
            doc,
            votes,
            members: Vec::new(),
        };
        for _ in 0..count {
            room.join(meter);
        }
        room
    }

    /// Carries messages until nobody has one.
    fn carry(&mut self, who: usize, first: Vec<Vec<u8>>, meter: &mut Meter) {
        let mut up: Vec<_> = first.into_iter().map(|message| (who, message)).collect();
        loop {
            for (from, message) in up {
                let end = &self.ends[from];
                end.into.unbounded_send(message).expect("it listens");
            }
            let (hub, ends) = (&mut self.hub, &mut self.ends);
            let down = meter.hub(|| {
                hub.pool.run_until_stalled();
                let all = ends.iter_mut().enumerate();
                all.flat_map(|(to, end)| end.taken().into_iter().map(move |it| (to, it)))
                    .collect()
            });
            if down.is_empty() {
                return;
            }
            up = Vec::new();
            for (to, message) in down {
                let member = &mut self.members[to];
                let into = &member.end.into;
                into.unbounded_send(message).expect("it listens");
                let answers = meter.member(|| {
                    member.node.pool.run_until_stalled();
                    member.end.taken()
                });
                up.extend(answers.into_iter().map(|answer| (to, answer)));
            }
        }
    }
}

impl System for Room {
    fn vote(&mut self, who: usize, option: usize, meter: &mut Meter) {
        let (key, votes) = (name(who), &self.votes);
        let member = &mut self.members[who];
        let first = meter.member(|| {
            let doc = member.doc.borrow();
            let doc = doc.as_ref().expect("it was found");
            doc.with_document(|doc| {
                doc.transact(|poll| poll.put(votes, key, OPTIONS[option]))
                    .expect("a vote")
            });
            member.node.pool.run_until_stalled();
            member.end.taken()
        });
        self.carry(who, first, meter);
    }

    fn join(&mut self, meter: &mut Meter) {
        let number = self.members.len();
        let id = self.doc.document_id().clone();
        let (end, transport) = link();
        let acceptor = &self.acceptor;
        meter.hub(|| {
            acceptor.accept(transport).expect("it runs");
            Vec::<(usize, Vec<u8>)>::new()
        });
        self.ends.push(end);
        let (end, transport) = link();
        let mut end = Some(end);
        let mut member = None;
        let first = meter.member(|| {
            let mut node = Node::new(&name(number));
            let dialer = Arc::new(Once(Mutex::new(Some(transport))));
            let dialled = node.repo.dial(BackoffConfig::default(), dialer);
            dialled.expect("it runs");
            let doc = Rc::new(RefCell::new(None));
            let (repo, found) = (node.repo.clone(), Rc::clone(&doc));
            let find = async move {
                *found.borrow_mut() = repo.find(id).await.expect("it runs");
            };
            node.pool.spawner().spawn_local(find).expect("it runs");
            node.pool.run_until_stalled();
            let mut end = end.take().expect("it is done once");
            let first = end.taken();
            member = Some(Member { node, end, doc });
            first
        });
        self.members.extend(member);
        self.carry(number, first, meter);
        let found = self.members[number].doc.borrow();
        assert!(found.is_some(), "the hub has the document");
    }

    fn tallies(&self) -> Vec<Vec<u64>> {
        let tallies = self.members.iter().map(|member| {
            let doc = member.doc.borrow();
            let doc = doc.as_ref().expect("it was found");
            let choices: Result<Vec<String>, AutomergeError> = doc.with_document(|doc| {
                let votes = doc.map_range(&self.votes, ..);
                Ok(votes.map(|item| text(item.value.into_value())).collect())
            });
            let choices = choices.expect("it is a map");
            let count = |option: &&str| choices.iter().filter(|it| it == option).count() as u64;
            OPTIONS.iter().map(count).collect()
        });
        tallies.collect()
    }
}

fn text(value: Value<'_>) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
