//! Presence: who came and went, told together.

use std::time::Duration;

use bytes::Bytes;
use hustings_protocol::{DeviceId, PeerId};
use litemap::LiteMap;

use crate::Moment;

/// The devices that came or went since the others were told.
///
/// A list of everybody is made at most once between two tellings. Newcomers are sent that one: what
/// has changed since is told to them with all the others, so that a crowd that comes at once costs
/// an owner the work of one list, not of one for each.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    changed: LiteMap<(PeerId, DeviceId), ()>,
    /// Not before this moment the others are told again.
    not_before: Moment,
    list: Option<Bytes>,
}

impl Presence {
    /// A device has come or gone.
    pub(crate) fn change(&mut self, peer: PeerId, device: DeviceId) {
        self.changed.insert((peer, device), ());
    }

    /// The moment when the others are to be told; `None` if nothing has changed.
    pub(crate) fn due(&self) -> Option<Moment> {
        (!self.changed.is_empty()).then_some(self.not_before)
    }

    /// Takes what has changed, if it is time to tell.
    pub(crate) fn take(
        &mut self,
        now: Moment,
        interval: Duration,
    ) -> Option<impl Iterator<Item = (PeerId, DeviceId)> + use<>> {
        self.due().filter(|due| *due <= now)?;
        self.not_before = now + interval;
        self.list = None;
        let changed = std::mem::take(&mut self.changed);
        Some(changed.into_iter().map(|(device, ())| device))
    }

    /// The list of everybody, as it was made since the last telling.
    pub(crate) fn list(&self) -> Option<Bytes> {
        self.list.clone()
    }

    pub(crate) fn set_list(&mut self, list: Bytes) -> Bytes {
        self.list = Some(list.clone());
        list
    }
}
