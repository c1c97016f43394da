//! Links, as they are printed.

use std::io::{IsTerminal, stdout};

use axum::http::Uri;
use hustings_protocol::{PeerId, RoomId, RoomLink};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use crate::failure::Failure;
use crate::{cli, say};

/// A poll that is hosted from now on.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) link: RoomId,
    pub(super) title: String,
    /// The name of its file, if it has one.
    pub(super) file: Option<String>,
    /// The invitations that nobody has redeemed, as far as that is known.
    pub(super) invitations: Vec<RoomLink>,
}

/// The way in which links are printed.
pub(super) struct Announce {
    /// The address of the app, up to the fragment.
    app: Option<String>,
    is_json: bool,
    qr: bool,
    invitations: bool,
}

/// A poll, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PollEvent<'a> {
    event: &'static str,
    #[serde(serialize_with = "crate::view::text")]
    link: RoomId,
    address: String,
    title: &'a str,
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitations: Option<Vec<String>>,
}

/// The end of the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    event: &'static str,
    owner: PeerId,
    polls: usize,
}

impl Announce {
    pub(super) fn new(args: &cli::Host) -> Result<Self, Failure> {
        let app = args.app.as_deref().map(app).transpose()?;
        Ok(Self {
            app,
            is_json: args.folder.json,
            qr: args.qr,
            invitations: args.print_invitations,
        })
    }

    /// The text by which others get to a poll.
    fn address(&self, link: RoomLink) -> String {
        match &self.app {
            Some(app) => format!("{app}#/{link}"),
            None => link.to_string(),
        }
    }

    pub(super) fn poll(&self, news: &News) -> Result<(), Failure> {
        let link = RoomLink {
            room: news.link,
            invitation: None,
        };
        let address = self.address(link);
        let invitations = self.invitations.then(|| {
            let links = news.invitations.iter();
            links.map(|link| self.address(*link)).collect::<Vec<_>>()
        });
        if self.is_json {
            return say::json(&PollEvent {
                event: "poll",
                link: news.link,
                address,
                title: &news.title,
                file: news.file.as_deref(),
                invitations,
            });
        }
        let mut lines = vec![say::plain(&news.title), format!("  {address}")];
        if self.qr {
            lines.extend(code(&address));
        }
        for address in invitations.into_iter().flatten() {
            lines.push(format!("  invitation: {address}"));
            if self.qr {
                lines.extend(code(&address));
            }
        }
        lines.push(String::new());
        say::line(&lines.join("\n"))
    }

    /// Tells that all that is there is hosted.
    pub(super) fn ready(&self, owner: PeerId, polls: usize) -> Result<(), Failure> {
        if self.is_json {
            let event = "hosting";
            return say::json(&Ready {
                event,
                owner,
                polls,
            });
        }
        let polls = match polls {
            1 => "1 poll is hosted".to_owned(),
            polls => format!("{polls} polls are hosted"),
        };
        say::line(&format!("{polls}. Ctrl-C ends it."))
    }
}

/// The address of an app, without a fragment.
fn app(text: &str) -> Result<String, Failure> {
    let uri = text.parse::<Uri>().ok();
    let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    let is_plain = !text.contains('#') && uri.as_ref().is_some_and(is_web);
    is_plain
        .then(|| text.to_owned())
        .ok_or_else(|| Failure::App(text.to_owned()))
}

/// A code to scan: black on white, whatever the colours of the terminal are.
fn code(text: &str) -> Vec<String> {
    // Only a text of thousands of letters has no code.
    let Ok(code) = QrCode::new(text) else {
        return Vec::new();
    };
    let picture = code.render::<Dense1x2>().build();
    let (on, off) = match stdout().is_terminal() {
        true => ("\x1b[30;107m", "\x1b[0m"),
        false => ("", ""),
    };
    let lines = picture.lines();
    lines.map(|line| format!("  {on}{line}{off}")).collect()
}
