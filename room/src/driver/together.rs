//! Messages that leave together: what a link gets of one commit goes as few frames.
//!
//! Machines say one message after the other. Only a driver knows which of them wait for the same
//! commit, so the driver joins them, and no machine knows of it.

use std::sync::Arc;

use bytes::Bytes;
use hustings_protocol::batch::{self, MAX_BYTES, MAX_MESSAGES};
use litemap::LiteMap;

use crate::{LinkId, Output};

/// Messages in their order, as many as each of their recipients can be sent in one frame.
#[derive(Debug, Default)]
pub(super) struct Together {
    waiting: Vec<(To, Bytes)>,
    /// The recipients of the broadcasts.
    audience: Option<Arc<[LinkId]>>,
    /// The size of all the broadcasts.
    broadcasts: Size,
    /// The links that get something else than all the broadcasts and nothing more.
    apart: LiteMap<LinkId, Share>,
    /// At least the most that a link gets beyond the broadcasts.
    most: Size,
}

#[derive(Debug, Clone, Copy)]
enum To {
    One(LinkId),
    /// The audience, without this link.
    AllBut(Option<LinkId>),
}

/// The difference of what a link gets from the broadcasts.
#[derive(Debug, Default)]
struct Share {
    own: Size,
    spared: Size,
    is_in_audience: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Size {
    /// Each message with the comma behind it.
    bytes: usize,
    messages: usize,
}

impl Size {
    fn of(frame: &Bytes) -> Self {
        Self {
            bytes: frame.len() + 1,
            messages: 1,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            messages: self.messages + other.messages,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            messages: self.messages.saturating_sub(other.messages),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            messages: self.messages.max(other.messages),
        }
    }

    /// True if a batch may have this size: one bracket is counted as the last comma.
    const fn fits(self) -> bool {
        self.bytes < MAX_BYTES && self.messages <= MAX_MESSAGES
    }
}

impl Together {
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True if a `Send` or `Broadcast` can leave with those that wait. Otherwise they leave first.
    pub(super) fn fits(&self, output: &Output) -> bool {
        if self.is_empty() {
            return true;
        }
        match output {
            Output::Send { link, frame } => {
                let mut size = self.broadcasts.plus(Size::of(frame));
                if let Some(share) = self.apart.get(link) {
                    size = size.plus(share.own).minus(share.spared);
                }
                size.fits()
            }
            Output::Broadcast { links, frame, .. } => {
                let size = self.broadcasts.plus(self.most).plus(Size::of(frame));
                let audience = self.audience.as_ref();
                size.fits() && audience.is_none_or(|audience| audience == links)
            }
            Output::Persist(_)
            | Output::Dial { .. }
            | Output::Hangup { .. }
            | Output::Event { .. } => false,
        }
    }

    /// Adds a `Send` or `Broadcast` that fits; any other output is returned.
    pub(super) fn add(&mut self, output: Output) -> Option<Output> {
        match output {
            Output::Send { link, frame } => {
                let share = self.apart.entry(link).or_default();
                share.own = share.own.plus(Size::of(&frame));
                self.most = self.most.max(share.own.minus(share.spared));
                self.waiting.push((To::One(link), frame));
            }
            Output::Broadcast {
                links,
                except,
                frame,
            } => {
                let size = Size::of(&frame);
                self.broadcasts = self.broadcasts.plus(size);
                if let Some(link) = except {
                    let share = self.apart.entry(link).or_default();
                    share.spared = share.spared.plus(size);
                }
                self.audience.get_or_insert(links);
                self.waiting.push((To::AllBut(except), frame));
            }
            Output::Persist(_)
            | Output::Dial { .. }
            | Output::Hangup { .. }
            | Output::Event { .. } => return Some(output),
        }
        None
    }

    /// All that waits, each recipient's messages in one frame. Those that get the same get one
    /// frame that is joined once and shared.
    pub(super) fn take(&mut self) -> Vec<Output> {
        let Self {
            waiting,
            audience,
            mut apart,
            ..
        } = std::mem::take(self);
        let mut outputs = Vec::with_capacity(1 + apart.len());
        if let Some(audience) = audience {
            let (links, except) = others(audience, &mut apart);
            if links.iter().any(|link| Some(*link) != except) {
                let frames = waiting.iter().filter(|(to, _)| matches!(to, To::AllBut(_)));
                let frames: Vec<Bytes> = frames.map(|(_, frame)| frame.clone()).collect();
                outputs.push(Output::Broadcast {
                    links,
                    except,
                    frame: batch::join(&frames),
                });
            }
        }
        for (link, share) in &apart {
            let is_for_it = |to: &To| match to {
                To::One(one) => one == link,
                To::AllBut(except) => share.is_in_audience && *except != Some(*link),
            };
            let frames = waiting.iter().filter(|(to, _)| is_for_it(to));
            let frames: Vec<Bytes> = frames.map(|(_, frame)| frame.clone()).collect();
            if !frames.is_empty() {
                let (link, frame) = (*link, batch::join(&frames));
                outputs.push(Output::Send { link, frame });
            }
        }
        outputs
    }
}

/// The audience without those who get something else, of whom it is noted that they belong to it.
fn others(
    audience: Arc<[LinkId]>,
    apart: &mut LiteMap<LinkId, Share>,
) -> (Arc<[LinkId]>, Option<LinkId>) {
    let mut is_other = |link: &LinkId| match apart.get_mut(link) {
        Some(share) => {
            share.is_in_audience = true;
            false
        }
        None => true,
    };
    let others = audience.iter().filter(|link| is_other(link)).count();
    // As after a single command: nobody's list is copied.
    if others + 1 >= audience.len() {
        let only = audience.iter().find(|link| apart.contains_key(link));
        let only = only.copied();
        return (audience, only);
    }
    let links = audience.iter().filter(|link| !apart.contains_key(link));
    (links.copied().collect(), None)
}
