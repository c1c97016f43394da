//! The narrator: the look of it all in a terminal.
//!
//! A thing that has happened is a line that stays: when, who, what. An open thing, such as a
//! pending vote or a wait for the next attempt, is a line at the bottom that is redrawn until it is
//! settled; if that is impossible (`--plain`, no terminal), it is left out or printed once.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The tone of a word, which is its colour.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    Plain,
    Dim,
    Bold,
    Good,
    Waiting,
    Bad,
}

/// Tells the story.
pub(crate) struct Narrator {
    start: Instant,
    /// The bottom of a terminal; `None` where there is none.
    live: Option<MultiProgress>,
    colours: bool,
}

impl Narrator {
    /// One who writes to the standard output.
    pub(crate) fn new(plain: bool) -> Self {
        let is_live = !plain && std::io::stdout().is_terminal();
        Self {
            start: Instant::now(),
            live: is_live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stdout())),
            colours: is_live && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// A text in its colour.
    pub(crate) fn paint(&self, tone: Tone, text: impl Display) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Dim => "2",
            Tone::Bold => "1",
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
        };
        if self.colours && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    /// The beginning of a scene, and what to look out for.
    pub(crate) fn scene(&self, title: &str, about: &str) {
        self.line("");
        self.line(self.paint(Tone::Bold, title));
        self.line(self.paint(Tone::Dim, about));
    }

    /// Somebody did something.
    pub(crate) fn say(&self, who: &str, tone: Tone, what: impl Display) {
        let at = format!("{:>7.2} s", self.start.elapsed().as_secs_f64());
        let at = self.paint(Tone::Dim, at);
        let what = self.paint(tone, what);
        self.line(format!("{at}  {who:<10}  {what}"));
    }

    /// A line as it is.
    pub(crate) fn line(&self, text: impl Display) {
        match &self.live {
            Some(live) => live.suspend(|| write_line(&text)),
            None => write_line(&text),
        }
    }

    /// A line about somebody that changes until it is dropped.
    pub(crate) fn status(&self, who: &str) -> Status {
        let bar = self.live.as_ref().map(|live| {
            let bar = live.add(ProgressBar::new_spinner());
            let style =
                ProgressStyle::with_template("         {spinner}  {prefix:<10}  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(who.to_owned());
            bar
        });
        Status { bar }
    }

    /// The progress of something long.
    pub(crate) fn progress(&self, what: &'static str, total: u64) -> Progress<'_> {
        let bar = self.live.as_ref().map(|live| {
            let bar = live.add(ProgressBar::new(total));
            let template =
                "            {prefix:<10}  {bar:32} {human_pos:>9} of {human_len}  {per_sec}  {msg}";
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Progress {
            narrator: self,
            what,
            bar,
            total,
            done: 0,
        }
    }
}

/// A reader that has gone away is no reason to stop.
fn write_line(text: &dyn Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line that changes; it is gone when this is dropped.
pub(crate) struct Status {
    bar: Option<ProgressBar>,
}

impl Status {
    pub(crate) fn set(&self, text: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            bar.tick();
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of something long: a bar, or a line for each tenth.
pub(crate) struct Progress<'a> {
    narrator: &'a Narrator,
    what: &'static str,
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
}

impl Progress<'_> {
    pub(crate) fn advance(&mut self) {
        let tenth = |done: u64| done * 10 / self.total.max(1);
        let before = tenth(self.done);
        self.done += 1;
        match &self.bar {
            Some(bar) => bar.set_position(self.done),
            None if tenth(self.done) > before => {
                let (done, total) = (self.done, self.total);
                let text = format!("{:>3} %  {done} of {total}", done * 100 / total.max(1));
                self.narrator.say(self.what, Tone::Plain, text);
            }
            None => {}
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
