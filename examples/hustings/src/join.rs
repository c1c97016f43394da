//! `hustings join`: a poll, as it goes on.

use std::io::IsTerminal;
use std::time::Duration;

use console::Term;
use futures::StreamExt;
use hustings_room::clock::unix_millis;
use hustings_room::driver::Room;
use hustings_room::{Connection, OfflinePolicy};
use tokio::time::{Instant, interval};

use crate::failure::Failure;
use crate::folder::Folder;
use crate::network::Network;
use crate::view::RoomView;
use crate::visit::Visit;
use crate::{cli, link, say, table, time};

/// The time that an invitation has to be redeemed in, once the owner is there.
const REDEEMING: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: cli::Join) -> Result<(), Failure> {
    let given = link::read(&args.link)?;
    let network = Network::new(&args.network, given.address.as_deref())?;
    let folder = Folder::open(&args.folder).await?;
    let room = given.link.room;
    let visit = Visit::begin(&folder, &network, room, OfflinePolicy::Refuse).await?;
    let mut screen = Screen::new(args.folder.json);
    let watched = watch(&args, given.link.invitation, &visit, &mut screen).await;
    visit.end().await;
    watched
}

async fn watch(
    args: &cli::Join,
    invitation: Option<hustings_protocol::InvitationSecret>,
    visit: &Visit<'_>,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut events = visit.room.events();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    // Countdowns, and the signalling server, of which no event tells.
    let mut second = interval(Duration::from_secs(1));
    let redeeming = redeem(invitation, visit);
    tokio::pin!(redeeming);
    let mut is_redeemed = false;
    loop {
        let now = RoomView::of(&visit.room);
        screen.show(&now, visit)?;
        if let Connection::Refused(refused) = visit.room.connection() {
            return Err(Failure::Refused(refused));
        }
        let is_closed = now.poll.is_some_and(|poll| poll.closed);
        if args.until_closed && is_closed && now.connection == "connected" {
            return Ok(());
        }
        tokio::select! {
            event = events.next() => if event.is_none() {
                // Whatever has closed it says why.
                return Ok(visit.room.connected().await?);
            },
            _ = second.tick() => {}
            redeemed = &mut redeeming, if !is_redeemed => {
                is_redeemed = true;
                redeemed?;
            }
            _ = &mut interrupted => return Ok(()),
        }
    }
}

/// Redeems an invitation as soon as the owner is there.
async fn redeem(
    invitation: Option<hustings_protocol::InvitationSecret>,
    visit: &Visit<'_>,
) -> Result<(), Failure> {
    let Some(secret) = invitation else {
        return Ok(());
    };
    visit.room.connected().await?;
    visit.redeem(secret, Instant::now() + REDEEMING).await
}

/// The place that a room is shown on: a terminal is drawn anew, a program or a file gets what has
/// changed.
struct Screen {
    term: Term,
    is_json: bool,
    /// The lines that were drawn last.
    drawn: usize,
    last: Option<RoomView>,
    last_lines: Vec<String>,
    /// The reason why the owner was away when that was last known, until it is back.
    away: Option<String>,
}

impl Screen {
    fn new(is_json: bool) -> Self {
        Self {
            term: Term::stdout(),
            is_json,
            drawn: 0,
            last: None,
            last_lines: Vec::new(),
            away: None,
        }
    }

    fn show(&mut self, now: &RoomView, visit: &Visit<'_>) -> Result<(), Failure> {
        if self.is_json {
            if self.last.as_ref() != Some(now) {
                say::json(now)?;
                self.last = Some(now.clone());
            }
            return Ok(());
        }
        match now.connection {
            "away" => self.away = now.reason.as_deref().map(say::plain),
            // An attempt is no news until it has succeeded.
            "connecting" => {}
            _ => self.away = None,
        }
        let is_terminal = std::io::stdout().is_terminal();
        let lines = lines(now, visit, self.away.as_deref(), is_terminal);
        if lines == self.last_lines {
            return Ok(());
        }
        self.last_lines.clone_from(&lines);
        if !is_terminal {
            return say::line(&lines.join("\n"));
        }
        self.draw(&lines).map_err(Failure::Output)
    }

    /// Draws over what was drawn before. What does not fit is cut: a line that wraps is two.
    fn draw(&mut self, lines: &[String]) -> std::io::Result<()> {
        let (rows, columns) = self.term.size();
        self.term.clear_last_lines(self.drawn)?;
        // The line of the cursor is one, too.
        let fits = usize::from(rows.saturating_sub(1)).max(1);
        self.drawn = lines.len().min(fits);
        for line in lines.iter().take(fits) {
            let line = console::truncate_str(line, usize::from(columns), "…");
            self.term.write_line(&line)?;
        }
        self.term.flush()
    }
}

/// The room in words. Only who draws a line again wants a countdown in it.
fn lines(now: &RoomView, visit: &Visit<'_>, away: Option<&str>, counts_down: bool) -> Vec<String> {
    let mut lines = match &now.poll {
        Some(poll) => table::lines(poll),
        None => vec!["The poll has not come yet.".to_owned()],
    };
    let room = &visit.room;
    if counts_down && let Some(left) = time_left(room) {
        lines.push(format!("It closes in {}.", time::wait(left)));
    }
    lines.push(connection(room, visit, away, counts_down));
    if !now.pending.is_empty() {
        lines.push(format!("Pending sync: {}", now.pending.len()));
    }
    lines
}

fn connection(room: &Room, visit: &Visit<'_>, away: Option<&str>, counts_down: bool) -> String {
    let here = room.peers().len();
    let retry_at = match room.connection() {
        Connection::Connected if here == 1 => return "Connected; nobody else is here.".to_owned(),
        Connection::Connected => return format!("Connected; {here} are here, with the owner."),
        Connection::Refused(refused) => return say::plain(&refused.to_string()),
        Connection::Closed => return "The room is closed.".to_owned(),
        Connection::Connecting => None,
        Connection::Disconnected { retry_at, .. } => Some(retry_at),
    };
    if !visit.has_server() {
        let server = say::plain(visit.server());
        return format!("The signalling server at {server} is away.");
    }
    match (away, retry_at) {
        (None, _) => "Connecting to the owner …".to_owned(),
        (Some(reason), _) if !counts_down => format!("The owner is away ({reason})."),
        (Some(reason), None) => format!("The owner is away ({reason}); trying again …"),
        (Some(reason), Some(at)) => {
            let left = time::wait(at - room.now());
            format!("The owner is away ({reason}); tried again in {left}.")
        }
    }
}

/// The time until the poll closes, by the owner's clock.
fn time_left(room: &Room) -> Option<Duration> {
    let poll = room.confirmed()?;
    let at = poll.closes_at().filter(|_| !poll.is_closed())?;
    let now = unix_millis().saturating_add_signed(room.clock_offset().unwrap_or(0));
    Some(Duration::from_millis(at.saturating_sub(now)))
}
