//! The work that is begun before the views are there: the app is opened, and the poll that the
//! page's address names is joined.
//!
//! The views are half of what a page loads, and to reach a poll's owner takes as long as to load
//! them. So whoever follows a link has both done at the same time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use hustings_browser::{App, JoinError, Joined};
use hustings_protocol::RoomId;
use hustings_protocol::text::isolated;
use wasm_bindgen_futures::spawn_local;

use crate::browser::{hash, meta, parameter, pause, server};
use crate::route::Route;

/// The name of the database; all tabs of a browser are one person.
const PROFILE: &str = "hustings";

/// The pause before a browser that has not answered is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// The progress of the opening.
pub(crate) enum Step {
    /// The browser does not answer, for this reason. It is asked again.
    Overdue(String),
    Opened(Rc<App>, Early),
    Failed(Failure),
}

/// The steps as they come. One that [`Failed`](Step::Failed) or [`Opened`](Step::Opened) is the
/// last.
pub(crate) type Steps = mpsc::UnboundedReceiver<Step>;

/// The reason why there is no app.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The settings of the page or its address cannot be used.
    Settings(String),
    /// The stored data cannot be used.
    Stored(String),
}

/// Begins.
pub(crate) fn begin() -> Steps {
    let (steps, told) = mpsc::unbounded();
    spawn_local(async move {
        // A page without views, which did not arrive, hears nothing.
        let tell = |step| _ = steps.unbounded_send(step);
        tell(match open(|why| tell(Step::Overdue(why))).await {
            Ok(app) => {
                let early = Early::begin(&app);
                Step::Opened(app, early)
            }
            Err(why) => Step::Failed(why),
        });
    });
    told
}

/// Opens the app, and goes on asking for as long as that may help. `overdue` hears why it takes
/// long.
async fn open(overdue: impl Fn(String)) -> Result<Rc<App>, Failure> {
    let address = parameter("peerserver").or_else(|| meta("peerserver"));
    let server = server(address.as_deref()).ok_or_else(|| {
        let address = isolated(&address.unwrap_or_default()).to_string();
        let example = "an address such as https://0.peerjs.com/ is needed, with http: or https:";
        Failure::Settings(format!("invalid signalling server {address}: {example}"))
    })?;
    let ice = parameter("ice").or_else(|| meta("ice-servers"));
    let is_relayed = parameter("relay").is_some_and(|value| value == "only")
        || meta("relay-only").is_some_and(|value| value == "yes");
    let config = server.config(ice.as_deref(), is_relayed);
    let config = config.map_err(|error| Failure::Settings(error.to_string()))?;
    loop {
        match App::open(PROFILE, config.clone()).await {
            Ok(app) => return Ok(app),
            Err(error) if error.may_pass() => {
                overdue(error.to_string());
                pause(AGAIN).await;
            }
            Err(error) => return Err(Failure::Stored(error.to_string())),
        }
    }
}

/// A poll that is being joined and that no view has asked for yet. It is left again if none does.
#[derive(Clone, Default)]
pub(crate) struct Early(Rc<RefCell<Option<(RoomId, Joining)>>>);

/// The end of a joining.
type Joining = oneshot::Receiver<Result<Joined, JoinError>>;

impl Early {
    /// Joins the poll of the address, unless it is one's own, which is hosted.
    fn begin(app: &Rc<App>) -> Self {
        let early = Self::default();
        if let Route::Room(link) = Route::of(&hash()).place()
            && link.owner != app.me()
        {
            let (ended, end) = oneshot::channel();
            early.0.replace(Some((link, end)));
            let app = Rc::clone(app);
            // Where nobody waits for the room it is dropped, and so left.
            spawn_local(async move { _ = ended.send(app.join(link).await) });
        }
        early
    }

    /// The joining, if it is of this poll. One of another is given up.
    pub(crate) fn take(&self, link: Option<RoomId>) -> Option<Joining> {
        let (joins, end) = self.0.take()?;
        (Some(joins) == link).then_some(end)
    }
}
