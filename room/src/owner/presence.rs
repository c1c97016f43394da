//! Presence: who came and went, told together, and of a crowd only the first.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{DeviceId, PeerId};
use litemap::LiteMap;

use crate::{LinkId, Moment};

/// The devices that the others are told of, and those of them that came or went since.
///
/// Everybody hears of everybody, which in a crowd of N would be N² lines. So they hear of the first
/// ones, [`Config::max_listed_peers`](crate::Config::max_listed_peers) at most; when one of these
/// goes, the next takes the place.
///
/// A list of all of them is made at most once between two tellings. Newcomers are sent that one: what
/// has changed since is told to them with all the others, so that a crowd that comes at once costs
/// an owner the work of one list, not of one for each.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    listed: LiteMap<(PeerId, DeviceId), ()>,
    /// The links of the others, in the order in which they came.
    waiting: VecDeque<LinkId>,
    changed: LiteMap<(PeerId, DeviceId), ()>,
    /// Not before this moment the others are told again.
    not_before: Moment,
    list: Option<Bytes>,
}

impl Presence {
    /// A device has come, with this link.
    pub(crate) fn came(&mut self, link: LinkId, device: (PeerId, DeviceId), max_listed: usize) {
        if self.listed.len() < max_listed {
            self.list_one(device);
        } else {
            self.waiting.push_back(link);
        }
    }

    /// A device that was here has another link.
    pub(crate) fn moved(&mut self, from: LinkId, to: LinkId) {
        if let Some(link) = self.waiting.iter_mut().find(|link| **link == from) {
            *link = to;
        }
    }

    /// A device has gone, and its link.
    pub(crate) fn went(
        &mut self,
        link: LinkId,
        device: (PeerId, DeviceId),
        device_of: impl Fn(LinkId) -> Option<(PeerId, DeviceId)>,
    ) {
        if self.listed.remove(&device).is_none() {
            self.waiting.retain(|waiting| *waiting != link);
            return;
        }
        self.changed.insert(device, ());
        let mut waiting = std::iter::from_fn(|| self.waiting.pop_front());
        if let Some(next) = waiting.find_map(device_of) {
            self.list_one(next);
        }
    }

    fn list_one(&mut self, device: (PeerId, DeviceId)) {
        self.listed.insert(device, ());
        self.changed.insert(device, ());
    }

    /// The devices that the others are told of.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (PeerId, DeviceId)> {
        self.listed.keys().copied()
    }

    /// The moment when the others are to be told; `None` if nothing has changed.
    pub(crate) fn due(&self) -> Option<Moment> {
        (!self.changed.is_empty()).then_some(self.not_before)
    }

    /// Takes the devices that have come (true) or gone, if it is time to tell.
    pub(crate) fn take(
        &mut self,
        now: Moment,
        interval: Duration,
    ) -> Option<Vec<((PeerId, DeviceId), bool)>> {
        self.due().filter(|due| *due <= now)?;
        self.not_before = now + interval;
        self.list = None;
        let changed = std::mem::take(&mut self.changed);
        let changed = changed.into_iter().map(|(device, ())| device);
        Some(
            changed
                .map(|device| (device, self.listed.contains_key(&device)))
                .collect(),
        )
    }

    /// The list of all that are told of, as it was made since the last telling.
    pub(crate) fn list(&self) -> Option<Bytes> {
        self.list.clone()
    }

    pub(crate) fn set_list(&mut self, list: Bytes) -> Bytes {
        self.list = Some(list.clone());
        list
    }
}
