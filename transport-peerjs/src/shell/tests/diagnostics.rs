//! The events of a link's life, and what is not in them.

use std::fmt::Write as _;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::fake::TOKEN;
use super::*;

/// Keeps everything as text, a line for each event and span.
#[derive(Default)]
struct Capture(Mutex<Vec<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
    }
}

impl Capture {
    fn keep(&self, line: Line) -> u64 {
        let mut lines = self.0.lock().unwrap();
        lines.push(line.0.trim_end().to_owned());
        lines.len() as u64
    }
}

impl Subscriber for &'static Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hustings")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {} ", span.metadata().name()));
        span.record(&mut line);
        Id::from_u64(self.keep(line))
    }

    fn event(&self, event: &Event<'_>) {
        let level = event.metadata().level().as_str().to_lowercase();
        let mut line = Line(format!("{level} "));
        if let Some(span) = event.parent() {
            let _ = write!(line.0, "in {}: ", span.into_u64());
        }
        event.record(&mut line);
        self.keep(line);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn captured(run: impl FnOnce()) -> Vec<String> {
    let capture: &Capture = Box::leak(Box::default());
    tracing::subscriber::with_default(capture, run);
    std::mem::take(&mut *capture.0.lock().unwrap())
}

#[test]
fn a_links_life_is_seen_and_no_secret_of_it() {
    let lines = captured(|| {
        let (side, link, rtc) = Side::dialled(limits());
        while side.send(link, 10_000) == SendOutcome::Queued {}
        side.rtc(rtc, RtcInput::Buffered);
        side.after(SECOND);
        side.holds(rtc, 0);
        side.offer();
        side.offer();
        let of_a_browser = format!("cannot parse {}", chromium_sdp([3; 32]));
        side.rtc(rtc, RtcInput::Failed(of_a_browser));
    });
    assert_eq!(
        lines,
        [
            "debug connecting",
            "info registered",
            "span link id=out1 peer=aibaeaqc",
            "debug in 3: dial",
            "debug in 3: up",
            "debug in 3: blocked",
            "warn stall rtc=rtc1 bytes=80000",
            "debug in 3: writable",
            "debug refused from=aibaeaqc refusal=this connection exists already",
            "warn fault rtc=rtc1 why=cannot parse",
            "debug in 3: down reason=the link was lost: cannot parse",
        ]
    );
    for line in lines {
        let is_secret = |text: &str| line.contains(text);
        assert!(
            !is_secret(TOKEN) && !is_secret("v=0") && !is_secret("fingerprint"),
            "{line}"
        );
        assert!(!is_secret(&address(2).to_string()[..12]), "{line}");
    }
}
