//! The network as a process sees it, where everything is seen that it sends.

use std::task::{Context, Poll};

use bytes::Bytes;
use hustings_protocol::{Address, Limits, Message};
use hustings_room::LinkId;
use hustings_room::transport::{SendOutcome, Transport, TransportEvent};
use hustings_transport_mem::MemTransport;

use super::Plant;
use super::scene::Process;

pub(super) struct Tap {
    transport: MemTransport,
    process: Process,
    /// Links that found no room, and have some again.
    drained: Vec<LinkId>,
}

impl Tap {
    pub(super) const fn new(transport: MemTransport, process: Process) -> Self {
        Self {
            transport,
            process,
            drained: Vec::new(),
        }
    }

    /// The oracle hears of a frame before anybody else does.
    fn tell(&self, frame: &Bytes) {
        let Some(mut scene) = self.process.scene() else {
            return;
        };
        let slot = self.process.slot;
        let sent = scene.oracle.sent(slot, frame);
        scene.held(sent);
        if scene.is_planted(Plant::SettleWhenSent)
            && let Ok(Message::Command(numbered)) = Message::decode(frame, &Limits::default())
        {
            scene.forget(slot, numbered.seq);
        }
    }

    fn pass_on(&mut self, link: LinkId, frame: &Bytes) -> SendOutcome {
        let Some(mut scene) = self.process.act() else {
            return SendOutcome::Gone;
        };
        scene.trace("send", &(self.process.slot, link, frame));
        let refused_of_100 = scene.refused_of_100;
        let is_refused = refused_of_100 > 0 && scene.draw(100) < refused_of_100;
        drop(scene);
        // As on a real line, where there may be room again for the very next frame.
        let outcome = if is_refused && !self.drained.contains(&link) {
            self.drained.push(link);
            SendOutcome::Blocked
        } else {
            self.transport.send(link, frame.clone())
        };
        if outcome == SendOutcome::Blocked
            && let Some(mut scene) = self.process.scene()
        {
            scene.trace("blocked", &(self.process.slot, link));
            scene.oracle.report.blocked += 1;
        }
        outcome
    }
}

impl Transport for Tap {
    fn dial(&mut self, link: LinkId, to: &Address) {
        let Some(mut scene) = self.process.act() else {
            return;
        };
        scene.trace("dial", &(self.process.slot, link));
        drop(scene);
        self.transport.dial(link, to);
    }

    fn send(&mut self, link: LinkId, frame: Bytes) -> SendOutcome {
        self.tell(&frame);
        self.pass_on(link, &frame)
    }

    fn broadcast(
        &mut self,
        links: &[LinkId],
        except: Option<LinkId>,
        frame: &Bytes,
        blocked: &mut Vec<LinkId>,
    ) {
        self.tell(frame);
        let is_dropped = match self.process.scene() {
            Some(mut scene) => scene.is_planted(Plant::DropRelay) && scene.draw(10) == 0,
            None => return,
        };
        let links = links.iter().filter(|link| Some(**link) != except);
        for link in links.skip(usize::from(is_dropped)) {
            if self.pass_on(*link, frame) == SendOutcome::Blocked {
                blocked.push(*link);
            }
        }
    }

    fn hangup(&mut self, link: LinkId) {
        let Some(mut scene) = self.process.act() else {
            return;
        };
        scene.trace("hang up", &(self.process.slot, link));
        drop(scene);
        self.drained.retain(|drained| *drained != link);
        self.transport.hangup(link);
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        if self.process.scene().is_none() {
            return Poll::Pending;
        }
        let event = match self.drained.pop() {
            Some(link) => Poll::Ready(TransportEvent::Writable { link }),
            None => self.transport.poll_event(cx),
        };
        if let (Poll::Ready(event), Some(mut scene)) = (&event, self.process.scene()) {
            scene.trace("event", &(self.process.slot, event));
            scene.oracle.report.links += u64::from(matches!(event, TransportEvent::LinkUp { .. }));
        }
        event
    }
}
