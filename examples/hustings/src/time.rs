//! Times as people write and read them. The protocol's are milliseconds since 1970.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

/// The time at which a poll closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    At(Timestamp),
    /// From the moment at which the poll is made.
    In(Duration),
}

impl Deadline {
    /// In milliseconds since 1970, with `now` in the same.
    pub(crate) fn unix_millis(self, now: u64) -> u64 {
        match self {
            Self::At(at) => u64::try_from(at.as_millisecond()).unwrap_or(0),
            Self::In(wait) => {
                now.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl FromStr for Deadline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(local) = text.parse::<DateTime>() {
            let at = local.to_zoned(TimeZone::system());
            return at
                .map(|at| Self::At(at.timestamp()))
                .map_err(|error| error.to_string());
        }
        let wait = text.parse::<Span>().ok();
        let wait = wait.and_then(|wait| wait.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        let wait = wait.and_then(|wait| Duration::try_from(wait).ok());
        wait.filter(|wait| !wait.is_zero())
            .map(Self::In)
            .ok_or_else(|| {
                "it is neither a time such as `2026-12-01 18:00` nor one from now such as `90m`"
                    .into()
            })
    }
}

/// A time by this machine's time zone.
pub(crate) fn local(unix_millis: u64) -> String {
    let at = i64::try_from(unix_millis).ok();
    let at = at.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    at.map_or_else(
        || "never".into(),
        |at| {
            let at = at.to_zoned(TimeZone::system());
            at.strftime("%Y-%m-%d %H:%M %Z").to_string()
        },
    )
}

/// A wait, with as much of it as anybody wants to know: `3 d 4 h`, `12 min 5 s`.
pub(crate) fn wait(wait: Duration) -> String {
    let seconds = wait.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let mut shown = parts.iter().skip_while(|(count, _)| *count == 0).take(2);
    let first = shown
        .next()
        .map_or_else(|| "0 s".into(), |(count, unit)| format!("{count} {unit}"));
    match shown.next() {
        Some((count, unit)) if *count > 0 => format!("{first} {count} {unit}"),
        Some(_) | None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_a_wait() {
        let at = |text: &str| text.parse::<Deadline>().map(|it| it.unix_millis(1_000));
        assert_eq!(at("1970-01-01T00:01Z"), Ok(60_000));
        assert_eq!(at("1970-01-01T00:01:00+00:00"), Ok(60_000));
        assert_eq!(at("90m"), Ok(5_401_000));
        assert_eq!(at("1h 30m"), Ok(5_401_000));
        assert_eq!(at("2d"), Ok(172_801_000));
        assert!(at("2026-12-01 18:00").is_ok());
        for wrong in ["", "soon", "-5m", "0s", "2026-13-01 18:00"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wait_has_two_units_at_most() {
        let shown = |seconds| wait(Duration::from_secs(seconds));
        assert_eq!(shown(0), "0 s");
        assert_eq!(shown(65), "1 min 5 s");
        assert_eq!(shown(3_600), "1 h");
        assert_eq!(shown(90_061), "1 d 1 h");
    }
}
