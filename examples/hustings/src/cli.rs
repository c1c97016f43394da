//! The commands and their flags. What a machine is set up with is a variable of the environment,
//! too.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hustings_protocol::{Admission, Ballots, Results as Due};

use crate::failure::EXIT_CODES;

/// Polls between people, without a server that has the votes.
///
/// `host` owns polls and counts; it is meant to run for as long as they last. `join`, `vote` and
/// `results` take part in a poll by its link. A person is a key in a data folder: whoever has
/// another folder is another person.
#[derive(Debug, Parser)]
#[command(name = "hustings", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: Log,
}

/// The log, for whoever looks after the program.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct Log {
    /// Append the log to this file instead of writing it to the standard error. SIGHUP opens it
    /// anew, for whoever rotates it
    #[arg(long, global = true, value_name = "FILE", env = "HUSTINGS_LOG_FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Events that are written: a level, or levels of parts, such as `warn,hustings=debug`. Without
    /// it, `info` for `host` and what is wrong for the others
    #[arg(long, global = true, value_name = "FILTER", env = "HUSTINGS_LOG")]
    pub(crate) log_filter: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Own polls: create them, host them, count the votes
    Host(Box<Host>),
    /// Watch a poll as it goes on
    Join(Join),
    /// Vote, and wait until the owner has counted it
    Vote(Vote),
    /// The results of a poll, by its link or from the folder of its owner
    Results(Results),
    /// The polls of a data folder
    Polls(Polls),
    /// Save the identity and the polls of a data folder in an encrypted file
    Export(Export),
    /// Take such a file into a data folder
    Import(Import),
}

impl Command {
    /// True if whoever runs it is a program that reads JSON.
    pub(crate) fn asks_for_json(&self) -> bool {
        match self {
            Self::Host(args) => args.folder.json,
            Self::Join(args) => args.folder.json,
            Self::Vote(args) => args.folder.json,
            Self::Results(args) => args.folder.json,
            Self::Polls(args) => args.folder.json,
            Self::Export(args) => args.folder.json,
            Self::Import(args) => args.folder.json,
        }
    }
}

/// The place of a person's data, and the form of a command's answers.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The data folder: one identity, and all that it has stored. Without it, `hustings` in the
    /// user's data folder
    #[arg(long, value_name = "DIR", env = "HUSTINGS_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Answer in JSON: a line for each thing that is said
    #[arg(long)]
    pub(crate) json: bool,
}

/// The ways to find and to reach others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// The signalling server, such as `http://localhost:9000/`. Without it, the address that the
    /// link begins with, or else that one
    #[arg(long, value_name = "URL", env = "HUSTINGS_SERVER")]
    pub(crate) server: Option<String>,
    /// The signalling server's API key, which is no secret
    #[arg(
        long,
        value_name = "KEY",
        env = "HUSTINGS_SERVER_KEY",
        default_value = "peerjs"
    )]
    pub(crate) server_key: String,
    /// Trust the authorities in this PEM file, too, where the server is reached by TLS
    #[arg(long, value_name = "FILE", env = "HUSTINGS_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// The STUN and TURN servers, as JSON: `[{"urls": "stun:stun.example.org"}]`. `[]` is none;
    /// without it, one public STUN server. Those that the signalling server hands out are used, too
    #[arg(
        long,
        value_name = "JSON",
        env = "HUSTINGS_ICE_SERVERS",
        hide_env_values = true
    )]
    pub(crate) ice_servers: Option<String>,
    /// Tell others no address but those of TURN servers
    #[arg(long, env = "HUSTINGS_RELAY_ONLY")]
    pub(crate) relay_only: bool,
    /// The UDP port at which others reach this program; 0 is any free one
    #[arg(
        long,
        value_name = "PORT",
        env = "HUSTINGS_UDP_PORT",
        default_value_t = 0
    )]
    pub(crate) udp_port: u16,
    /// An address of this machine that others are told; may be repeated, or a list with commas.
    /// Without it, all of them but loopback
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "HUSTINGS_ADDRESS",
        value_delimiter = ','
    )]
    pub(crate) address: Vec<IpAddr>,
}

/// Hosts the polls of a data folder until it is told to end.
///
/// A poll is a JSON file in the folder `polls` of the data folder: `{"title": "Tea or coffee?",
/// "options": ["Tea", "Coffee"]}`. The flags below write such a file, once: started again with the
/// same flags, the same poll goes on. SIGHUP reads files that have come since, and opens the log
/// anew. SIGTERM and SIGINT end it: what is on its way is sent first, and a second one ends it at
/// once.
#[derive(Debug, Args)]
pub(crate) struct Host {
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) poll: NewPoll,
    /// Copy this poll's JSON file into the data folder; may be repeated
    #[arg(long = "poll", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The address of the web app, so that links open it: `https://polls.example.org/`
    #[arg(long, value_name = "URL", env = "HUSTINGS_APP")]
    pub(crate) app: Option<String>,
    /// Print each link as a QR code, too
    #[arg(long)]
    pub(crate) qr: bool,
    /// Print the links of invitations. Each has a secret, and makes a voter of whoever opens it
    /// first
    #[arg(long)]
    pub(crate) print_invitations: bool,
    /// Tell how things are, as JSON: in this file, which is replaced when something has changed, or
    /// at an address of loopback, such as `127.0.0.1:9101`, by HTTP
    #[arg(long, value_name = "FILE|ADDRESS:PORT", env = "HUSTINGS_STATUS")]
    pub(crate) status: Option<Status>,
    /// Most people who are connected at a time
    #[arg(
        long,
        value_name = "COUNT",
        env = "HUSTINGS_MAX_LINKS",
        default_value_t = 2_000
    )]
    pub(crate) max_links: usize,
    /// The time that ending may take to send what waits, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HUSTINGS_GRACE",
        default_value_t = 10
    )]
    pub(crate) grace: u64,
}

/// The place of the status.
#[derive(Debug, Clone)]
pub(crate) enum Status {
    File(PathBuf),
    Address(SocketAddr),
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<SocketAddr>() {
            // Whoever reads it learns the links.
            Ok(address) if !address.ip().is_loopback() => Err(format!(
                "{address} is not an address of loopback, and the status has the links"
            )),
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

/// The poll of the flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "A new poll")]
pub(crate) struct NewPoll {
    /// The question
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    /// An option to vote for; repeated for each
    #[arg(long = "option", value_name = "TEXT", requires = "title")]
    pub(crate) options: Vec<String>,
    /// A vote may name several options
    #[arg(long, requires = "title")]
    pub(crate) multiple: bool,
    /// Voters may add options
    #[arg(long, requires = "title")]
    pub(crate) voters_add_options: bool,
    /// The people who see the choices of others
    #[arg(long, value_name = "WHO", requires = "title", default_value = "secret")]
    pub(crate) ballots: BallotsWord,
    /// The time from which the results are shown
    #[arg(long, value_name = "WHEN", requires = "title", default_value = "live")]
    pub(crate) results: ResultsWord,
    /// The time when the poll closes: `2026-12-01 18:00` by this machine's clock and time zone,
    /// `2026-12-01T18:00Z`, or a time from now such as `90m` or `2d`
    #[arg(long, value_name = "TIME", requires = "title")]
    pub(crate) deadline: Option<crate::time::Deadline>,
    /// Only invited people vote, by as many one-time invitations as this. Their links are written
    /// to a file beside the poll's
    #[arg(long, value_name = "COUNT", requires = "title")]
    pub(crate) invitations: Option<usize>,
}

/// [`Ballots`], as words.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum BallotsWord {
    /// Nobody but the owner: others see how many votes each option has
    Secret,
    /// Everybody
    Open,
}

/// [`Due`], as words.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ResultsWord {
    /// At once, as votes come
    Live,
    /// To whoever has voted
    AfterVote,
    /// Once the poll is closed
    AfterClose,
}

impl From<BallotsWord> for Ballots {
    fn from(word: BallotsWord) -> Self {
        match word {
            BallotsWord::Secret => Self::Secret,
            BallotsWord::Open => Self::Open,
        }
    }
}

impl From<ResultsWord> for Due {
    fn from(word: ResultsWord) -> Self {
        match word {
            ResultsWord::Live => Self::Live,
            ResultsWord::AfterVote => Self::AfterVote,
            ResultsWord::AfterClose => Self::AfterClose,
        }
    }
}

impl NewPoll {
    /// The people who may vote.
    pub(crate) const fn admission(&self) -> Admission {
        match self.invitations {
            Some(_) => Admission::Invited,
            None => Admission::Link,
        }
    }
}

/// The link of a poll.
const LINK: &str = "The link, or a text with it. `-` reads it from the standard input: an argument \
                    is in the list of processes, and an invitation is a secret";

#[derive(Debug, Args)]
pub(crate) struct Join {
    #[arg(help = LINK)]
    pub(crate) link: String,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[command(flatten)]
    pub(crate) network: Network,
    /// End when the poll is closed
    #[arg(long)]
    pub(crate) until_closed: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Vote {
    #[arg(help = LINK)]
    pub(crate) link: String,
    /// An option, by its label, its number in the poll, or its id; may be repeated
    #[arg(
        long = "option",
        value_name = "OPTION",
        required_unless_present = "withdraw"
    )]
    pub(crate) options: Vec<String>,
    /// Take the vote back
    #[arg(long, conflicts_with = "options")]
    pub(crate) withdraw: bool,
    /// The name that others see
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// While the owner is away, keep the vote in the data folder. The next command for this poll
    /// that finds the owner delivers it
    #[arg(long)]
    pub(crate) queue: bool,
    /// The time for all of it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[command(flatten)]
    pub(crate) network: Network,
}

#[derive(Debug, Args)]
pub(crate) struct Results {
    /// The link of a poll, or a text with it; or the data folder of its owner, for all polls there
    #[arg(value_name = "LINK|DIR")]
    pub(crate) of: String,
    /// The form in which they are printed; `--json` is `json`
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub(crate) format: Format,
    /// Ask nobody: print the copy that is stored here
    #[arg(long)]
    pub(crate) offline: bool,
    /// The time that the owner has to answer, in seconds. After it the copy is printed
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[command(flatten)]
    pub(crate) network: Network,
}

impl Results {
    pub(crate) const fn format(&self) -> Format {
        if self.folder.json {
            Format::Json
        } else {
            self.format
        }
    }
}

/// The forms of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// An object for each poll, one a line
    Json,
    /// A row for each option
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct Polls {
    #[command(flatten)]
    pub(crate) folder: Folder,
    /// Put a poll away, by its link or id: it stays stored, and is not hosted
    #[arg(long, value_name = "POLL")]
    pub(crate) archive: Vec<String>,
    /// Take a poll back that was archived, or moved to a file which is lost
    #[arg(long, value_name = "POLL")]
    pub(crate) take_back: Vec<String>,
}

/// A passphrase, which is no argument: those are in the list of processes.
#[derive(Debug, Args)]
pub(crate) struct Passphrase {
    /// Read the passphrase from the first line of this file. Without it, it is in the variable
    /// HUSTINGS_PASSPHRASE, or asked for at the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The polls, by their links or ids. Without any, all of them
    #[arg(value_name = "POLL")]
    pub(crate) polls: Vec<String>,
    /// The file, which must not be there
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// The polls are to be hosted where the file is imported, and no longer from here
    #[arg(long = "move", conflicts_with = "archive")]
    pub(crate) moves: bool,
    /// The polls are put away here once the file is written
    #[arg(long)]
    pub(crate) archive: bool,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    #[command(flatten)]
    pub(crate) folder: Folder,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    #[command(flatten)]
    pub(crate) folder: Folder,
}
