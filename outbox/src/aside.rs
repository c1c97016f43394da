//! Journals that are put aside: they stay, and nobody hosts them.

use std::fmt;

use crate::seal;

/// The reason why a journal that is in the store is not hosted.
///
/// Its record is a part of the journal, so it is committed with the rest of it and goes with it.
/// [`Journal::load`](crate::Journal::load) refuses a journal that has one: so whoever would host
/// it does not, after a restart or in another program either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aside {
    /// It was exported to be hosted on another device. Two that host one poll would give the same
    /// numbers to different votes.
    Moved {
        /// The time of the export, in milliseconds since 1970 (UTC).
        at: u64,
    },
    /// Its owner has put it away.
    Archived {
        /// The time, in milliseconds since 1970 (UTC).
        at: u64,
    },
}

impl Aside {
    /// The length of a stored one: its kind, and its time.
    const LEN: usize = 1 + 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let (kind, at) = match self {
            Self::Moved { at } => (1, at),
            Self::Archived { at } => (2, at),
        };
        let mut bytes = [kind; Self::LEN];
        bytes[1..].copy_from_slice(&at.to_be_bytes());
        bytes
    }

    pub(crate) fn from_record(key: &[u8], record: &bytes::Bytes) -> Result<Self, &'static str> {
        let value = seal::open(key, record, seal::Unsealed::Never)?;
        let value = <[u8; Self::LEN]>::try_from(value.as_ref()).map_err(|_| "it has 9 bytes")?;
        let [kind, at @ ..] = value;
        let at = u64::from_be_bytes(at);
        match kind {
            1 => Ok(Self::Moved { at }),
            2 => Ok(Self::Archived { at }),
            _ => Err("its kind is unknown"),
        }
    }
}

/// As the end of a sentence about the poll.
impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { at } => {
                let day = Day(*at);
                write!(
                    f,
                    "this poll was moved to another device on {day}; import it back to host it here"
                )
            }
            Self::Archived { at } => {
                let day = Day(*at);
                write!(
                    f,
                    "this poll was archived on {day}; take it out of the archive to host it"
                )
            }
        }
    }
}

/// The day (UTC) of a time in milliseconds since 1970: `2026-11-26`.
struct Day(u64);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is last.
        let days = self.0 / 86_400_000 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = era * 400 + year + later;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let day = |seconds: u64| Day(seconds * 1_000).to_string();
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_399), "2000-02-28");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day(951_868_800), "2000-03-01");
        assert_eq!(day(1_795_651_199), "2026-11-25");
        assert_eq!(day(4_107_542_400), "2100-03-01");
        assert!(!Day(u64::MAX).to_string().is_empty());
    }
}
