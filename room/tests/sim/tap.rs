//! The network as a process sees it, where everything is seen that it sends.

use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::{Address, Command, ErrorCode, Limits, Message, Refusal, Rejection, batch};
use hustings_room::LinkId;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_transport_mem::MemTransport;

use super::cost::aside;
use super::scene::{OWNER, Process, Scene};
use super::{Kind, Plant};

/// The participant that cannot read all updates, in worlds that have one.
const READS_LESS: usize = 4;

pub(super) struct Tap {
    transport: MemTransport,
    process: Process,
    /// Links that found no room, and have some again.
    drained: Vec<LinkId>,
    /// For bugs on purpose: everything that the process has heard.
    heard: Vec<Vec<u8>>,
}

impl Tap {
    pub(super) const fn new(transport: MemTransport, process: Process) -> Self {
        Self {
            transport,
            process,
            drained: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// The oracle hears of a frame before anybody else does, and of the links that it goes to; of
    /// the one link, if it is sent to no other.
    fn tell(&self, link: Option<LinkId>, links: &[LinkId], frame: &Bytes) {
        let Some(mut scene) = self.process.scene() else {
            return;
        };
        let slot = self.process.slot;
        if slot == OWNER
            && let Some(link) = link
            && scene.is_hostile(link)
        {
            scene.oracle.report.answers += messages_of(frame).len() as u64;
            scene.oracle.report.answer_bytes += frame.len() as u64;
        }
        if slot != OWNER {
            scene.overhear(frame);
        }
        if batch::is_batch(frame) {
            let of_one = messages_of(frame).len() < 2;
            if of_one || frame.len() > batch::MAX_BYTES {
                scene.breaks(format!("{slot} sends a batch that should be none"));
            }
            scene.oracle.report.batches += 1;
        }
        if scene.slots[slot].is_stale {
            return;
        }
        let to = match slot {
            OWNER => link.and_then(|link| scene.across(link)).map(|it| it.slot),
            _ => None,
        };
        let poll = match slot {
            OWNER => {
                let across = links.iter().filter_map(|link| scene.across(*link));
                across.filter_map(|it| it.poll).next()
            }
            _ => Some(scene.slots[slot].poll),
        };
        for message in &messages_of(frame) {
            match poll {
                Some(poll) => scene.ask(poll, |oracle| oracle.sent(slot, to, message)),
                // To the hostile alone: it is of one of the polls.
                None => {
                    let sent = scene.sent_to_any(slot, to, message);
                    scene.held(sent);
                }
            }
            if scene.is_planted(Plant::SettleWhenSent)
                && let Ok(Message::Command(numbered)) = Message::decode(message, &Limits::default())
            {
                scene.forget(slot, numbered.seq);
            }
        }
    }

    fn pass_on(&mut self, link: LinkId, frame: &Bytes) -> SendOutcome {
        let Some(mut scene) = self.process.act() else {
            return SendOutcome::Gone;
        };
        scene.trace_frame("send", self.process.slot, link, frame);
        let refused_of_100 = scene.refused_of_100;
        let is_refused = refused_of_100 > 0 && scene.draw(100) < refused_of_100;
        let frame = match spoil(&mut scene, self.process.slot, frame) {
            Some(frame) => frame,
            None => return SendOutcome::Queued,
        };
        drop(scene);
        // As on a real line, where there may be room again for the very next frame.
        let outcome = if is_refused && !self.drained.contains(&link) {
            self.drained.push(link);
            SendOutcome::Blocked
        } else {
            self.transport.send(link, frame)
        };
        if outcome == SendOutcome::Blocked
            && let Some(mut scene) = self.process.scene()
        {
            scene.trace("blocked", &(self.process.slot, link));
            scene.oracle.report.blocked += 1;
            if self.process.slot == OWNER {
                scene.is_blocked(link, true);
            }
        }
        outcome
    }
}

fn decode(frame: &[u8]) -> Option<Message> {
    Message::decode(frame, &Limits::unbounded()).ok()
}

/// The messages of a frame, which is itself one if it is no sound batch.
pub(super) fn messages_of(frame: &Bytes) -> Vec<Bytes> {
    let messages = match batch::is_batch(frame) {
        true => batch::messages(frame, batch::MAX_BYTES).unwrap_or_default(),
        false => Vec::new(),
    };
    if messages.is_empty() {
        return vec![frame.clone()];
    }
    messages.into_iter().map(Bytes::copy_from_slice).collect()
}

/// A frame as a network with a bug delivers it; `None` if it loses all of it.
fn spoil(scene: &mut Scene, slot: usize, frame: &Bytes) -> Option<Bytes> {
    let plant = scene.plan.plant.filter(|_| slot == OWNER);
    let Some(plant) = plant else {
        return Some(frame.clone());
    };
    let messages = messages_of(frame).into_iter();
    let left: Vec<Bytes> = messages
        .filter_map(|message| spoil_message(scene, plant, message))
        .collect();
    (!left.is_empty()).then(|| batch::join(&left))
}

fn spoil_message(scene: &mut Scene, plant: Plant, frame: Bytes) -> Option<Bytes> {
    let message = decode(&frame);
    match (plant, message) {
        (Plant::DropAck, Some(Message::Ack(_))) => (scene.draw(10) > 0).then_some(frame),
        (Plant::DropError, Some(Message::Error(refusal))) if refusal.command_id.is_some() => {
            (scene.draw(10) > 0).then_some(frame)
        }
        (Plant::TurnAck, Some(Message::Ack(ack))) => {
            let rejection = Rejection::new(ErrorCode::Busy, "not now");
            let command_id = Some(ack.command_id);
            let error = Message::Error(Refusal {
                command_id,
                rejection,
            });
            Some(error.encode())
        }
        (Plant::AlterRelay, Some(Message::Update(mut update))) => {
            if let Command::SetProfile(profile) = &mut update.numbered.command {
                profile.name = "somebody else".to_owned();
            }
            Some(Message::Update(update).encode())
        }
        _ => Some(frame),
    }
}

impl Tap {
    fn dials(&mut self, link: LinkId, to: &Address) {
        let Some(mut scene) = self.process.act() else {
            return;
        };
        scene.trace("dial", &(self.process.slot, link));
        drop(scene);
        self.transport.dial(link, to);
    }

    fn sends(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.tell(Some(link), &[link], &frame);
        self.pass_on(link, &frame)
    }

    fn broadcasts(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        blocked: &mut Vec<LinkId>,
    ) {
        self.tell(None, links, frame);
        let is_dropped = match self.process.scene() {
            Some(mut scene) => {
                let is_presence = scene.is_planted(Plant::DropPresence)
                    && messages_of(frame)
                        .iter()
                        .any(|message| matches!(decode(message), Some(Message::Discovery(_))));
                is_presence || scene.is_planted(Plant::DropRelay) && scene.draw(10) == 0
            }
            None => return,
        };
        let stray = self.process.scene().and_then(|scene| scene.stray(links));
        if let Some(link) = stray {
            self.pass_on(link, frame);
        }
        let links = links.iter().filter(|link| Some(**link) != except);
        for link in links.skip(usize::from(is_dropped)) {
            if self.pass_on(*link, frame) == SendOutcome::Blocked {
                blocked.push(*link);
            }
        }
    }

    fn hangs_up(&mut self, link: LinkId) {
        let Some(mut scene) = self.process.act() else {
            return;
        };
        scene.trace("hang up", &(self.process.slot, link));
        drop(scene);
        self.drained.retain(|drained| *drained != link);
        self.transport.hangup(link);
    }

    fn next_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        if self.process.scene().is_none() {
            return Poll::Pending;
        }
        let event = match self.drained.pop() {
            Some(link) => Poll::Ready(TransportEvent::Writable { link }),
            None => self.transport.poll_event(cx),
        };
        let mut event = event;
        if let (Poll::Ready(event), Some(mut scene)) = (&mut event, self.process.scene()) {
            if !scene.crosses(self.process.slot, "input") {
                return Poll::Pending;
            }
            let place = &mut scene.slots[self.process.slot];
            if let TransportEvent::Frame { frame, .. } = &event {
                place.heard += messages_of(frame).len();
                place.heard_bytes += frame.len() as u64;
            } else {
                place.heard += 1;
            }
            if scene.world.has(Kind::ReadsLess) && self.process.slot == READS_LESS {
                make_later(&mut scene, event);
            }
            happened(&mut scene, self.process.slot, event);
        }
        event
    }
}

impl Tap {
    fn hoards(&mut self, frame: &Bytes) {
        let is_planted = |plant| {
            let scene = self.process.scene();
            scene.is_some_and(|scene| scene.is_planted(plant))
        };
        let (hoards, toils) = (is_planted(Plant::Hoard), is_planted(Plant::Toil));
        if hoards || toils {
            let mut buffer = Vec::with_capacity(1024);
            buffer.extend_from_slice(frame);
            self.heard.push(buffer);
        }
        if toils {
            drop(self.heard.clone());
        }
    }
}

/// The tap is the simulator's: what it allocates costs the process nothing.
impl Transport for Tap {
    fn dial(&mut self, link: LinkId, to: &Address) {
        aside(self.process.meter, || self.dials(link, to));
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        aside(self.process.meter, || self.sends(link, frame))
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        blocked: &mut Vec<LinkId>,
    ) {
        aside(self.process.meter, || {
            self.broadcasts(links, except, frame, blocked);
        });
    }

    fn hangup(&mut self, link: LinkId) {
        aside(self.process.meter, || self.hangs_up(link));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        let event = aside(self.process.meter, || self.next_event(cx));
        if self.process.meter.is_some()
            && let Poll::Ready(TransportEvent::Frame { frame, .. }) = &event
        {
            self.hoards(frame);
        }
        event
    }
}

/// Some updates come as a later version would send them.
fn make_later(scene: &mut Scene, event: &mut TransportEvent) {
    let TransportEvent::Frame { frame, .. } = event else {
        return;
    };
    let mut messages = messages_of(frame);
    for message in &mut messages {
        if matches!(decode(message), Some(Message::Update(_))) && scene.draw(4) == 0 {
            let text = String::from_utf8_lossy(message);
            let later = text.replacen("\"type\":\"", "\"type\":\"later-", 1);
            *message = later.into();
        }
    }
    *frame = batch::join(&messages);
}

/// Something has reached a process.
fn happened(scene: &mut Scene, slot: usize, event: &TransportEvent) {
    let is_owner = slot == OWNER;
    match event {
        TransportEvent::Frame { link, frame } => {
            scene.trace_frame("hears", slot, *link, frame);
            if is_owner && scene.is_hostile(*link) {
                scene.hostile_frame(*link, frame);
            }
            return;
        }
        TransportEvent::LinkUp { link, .. } => {
            scene.oracle.report.links += 1;
            if is_owner {
                scene.link_up(*link);
            }
        }
        TransportEvent::Writable { link } if is_owner => scene.is_blocked(*link, false),
        TransportEvent::Writable { .. }
        | TransportEvent::LinkDown { .. }
        | TransportEvent::Wake
        | TransportEvent::Failed(_) => {}
    }
    scene.trace("event", &(slot, event));
}
