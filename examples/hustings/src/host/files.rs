//! Polls as files of the data folder.
//!
//! In the folder `polls`, `lunch.json` is a poll as its owner wants it, `lunch.link` the link of
//! the poll that was made of it, and `lunch.invitations` the links of its invitations, which are
//! secrets.

use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use hustings_protocol::{Admission, Poll, PollDraft, SettingsUpdate, text};
use hustings_room::clock::unix_millis;
use serde_json::{Map, Value};

use crate::cli;
use crate::failure::Failure;
use crate::folder::write_new;
use crate::time::Deadline;

/// Most bytes of a poll's file: a thousand options are less.
const MAX_BYTES: u64 = 1 << 20;

/// Most characters of a file's name that come from a title.
const MAX_SLUG: usize = 40;

/// A poll, as its owner wants it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PollFile {
    pub(super) path: PathBuf,
    pub(super) draft: PollDraft,
    /// The number of invitations.
    pub(super) invitations: usize,
    /// True to close it, false to open it again.
    closed: Option<bool>,
    /// The fields that are in it. What is not is left as it is.
    fields: Map<String, Value>,
}

/// The folder of the files.
pub(super) fn folder(data: &Path) -> PathBuf {
    data.join("polls")
}

impl PollFile {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::PollFile {
            path: path.to_owned(),
            reason,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Failure::file(path))?;
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(Failure::file(path))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(wrong(format!("it has more than {MAX_BYTES} bytes")));
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        Self::from_fields(path, fields).map_err(wrong)
    }

    fn from_fields(path: &Path, fields: Map<String, Value>) -> Result<Self, String> {
        let mut rest = fields.clone();
        let closed = match rest.remove("closed") {
            None => None,
            Some(Value::Bool(closed)) => Some(closed),
            Some(_) => return Err("`closed` must be true or false".into()),
        };
        let invitations = match rest.remove("invitations") {
            None => 0,
            Some(number) => number
                .as_u64()
                .and_then(|number| usize::try_from(number).ok())
                .ok_or("`invitations` must be a number")?,
        };
        let draft: PollDraft =
            serde_json::from_value(Value::Object(rest)).map_err(|error| error.to_string())?;
        if invitations > 0 && draft.admission != Admission::Invited {
            return Err("`invitations` need `\"admission\": \"invited\"`".into());
        }
        Ok(Self {
            path: path.to_owned(),
            draft,
            invitations,
            closed,
            fields,
        })
    }

    /// The file beside it with another ending.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }

    /// The name of the file.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// True if a poll could have been made of this file, and nothing has happened to it since.
    pub(super) fn is_beginning_of(&self, poll: &Poll) -> bool {
        let labels = self
            .draft
            .options
            .iter()
            .map(|label| text::normalised(label));
        let shown = poll.options().iter().map(|option| option.label.as_str());
        let draft = &self.draft;
        labels.eq(shown)
            && text::normalised(&draft.title) == poll.title()
            && draft.multiple_choice == poll.multiple_choice()
            && draft.voters_may_add_options == poll.voters_may_add_options()
            && (draft.ballots, draft.results) == (poll.ballots(), poll.results())
            && (draft.admission, draft.closes_at) == (poll.admission(), poll.closes_at())
            && draft.voters_named_up_to == poll.voters_named_up_to()
    }

    /// The change by which a poll gets the settings of the file; `None` if it has them.
    pub(super) fn settings(&self, poll: &Poll) -> Option<SettingsUpdate> {
        let has = |field: &str| self.fields.contains_key(field);
        let mut update = SettingsUpdate::new(poll.poll_id());
        let same = update.clone();
        let draft = &self.draft;
        if let Some(closed) = self.closed.filter(|closed| *closed != poll.is_closed()) {
            update = update.closed(closed);
        }
        if text::normalised(&draft.title) != poll.title() {
            update = update.title(draft.title.as_str());
        }
        if has("votersMayAddOptions")
            && draft.voters_may_add_options != poll.voters_may_add_options()
        {
            update = update.voters_may_add_options(draft.voters_may_add_options);
        }
        if has("results") && draft.results != poll.results() {
            update = update.results(draft.results);
        }
        if has("closesAt") && draft.closes_at != poll.closes_at() {
            update = update.closes_at(draft.closes_at);
        }
        (update != same).then_some(update)
    }
}

/// The files, in the order of their names.
pub(super) fn list(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = folder(data);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Failure::file(&folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Failure::file(&folder))?.path();
        if path.extension().is_some_and(|ending| ending == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes the poll of the flags and copies those of `--poll`, unless they are there.
pub(super) fn add(data: &Path, args: &cli::Host) -> Result<(), Failure> {
    let polls = folder(data);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&polls).map_err(Failure::file(&polls))?;
    for from in &args.files {
        let file = PollFile::read(from)?;
        let name = from.file_stem().unwrap_or_default().to_string_lossy();
        put(data, &name, file.fields, true)?;
    }
    if let Some(title) = &args.poll.title {
        let of_flags = of_flags(&args.poll, title);
        let is_exact = !matches!(args.poll.deadline, Some(Deadline::In(_)));
        put(data, &slug(title), of_flags, is_exact)?;
    }
    Ok(())
}

/// The fields of the flags.
fn of_flags(args: &cli::NewPoll, title: &str) -> Map<String, Value> {
    let draft = PollDraft::new(title)
        .options(args.options.iter().map(String::as_str))
        .multiple_choice(args.multiple)
        .voters_may_add_options(args.voters_add_options)
        .ballots(args.ballots.into())
        .results(args.results.into())
        .closes_at(
            args.deadline
                .map(|deadline| deadline.unix_millis(unix_millis())),
        )
        .admission(args.admission());
    let mut fields = match serde_json::to_value(draft) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    // A field that is not there is left as it is by whoever reads the file.
    fields.retain(|_, value| !value.is_null());
    if let Some(invitations) = args.invitations {
        fields.insert("invitations".into(), invitations.into());
    }
    fields
}

/// Writes a file of these fields, unless there is one. Its name begins like this. Where the
/// deadline is not exact it may be another one.
fn put(data: &Path, name: &str, fields: Map<String, Value>, is_exact: bool) -> Result<(), Failure> {
    let wanted = |fields: &Map<String, Value>| {
        let mut fields = fields.clone();
        if !is_exact && fields.contains_key("closesAt") {
            fields.insert("closesAt".into(), Value::Null);
        }
        fields
    };
    for path in list(data)? {
        if PollFile::read(&path).is_ok_and(|there| wanted(&there.fields) == wanted(&fields)) {
            return Ok(());
        }
    }
    let folder = folder(data);
    let mut path = folder.join(format!("{name}.json"));
    let mut number = 2_u32;
    while path.exists() || path.with_extension("link").exists() {
        path = folder.join(format!("{name}-{number}.json"));
        number += 1;
    }
    PollFile::from_fields(&path, fields.clone()).map_err(Failure::Draft)?;
    let text = serde_json::to_string_pretty(&fields);
    let text = text.map_err(|error| Failure::Draft(error.to_string()))?;
    write_new(&path, format!("{text}\n").as_bytes())
}

/// The beginning of a file's name for a title.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if slug.len() == MAX_SLUG {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "poll".into()
    } else {
        slug.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_name() {
        assert_eq!(slug("Tea or coffee?"), "tea-or-coffee");
        assert_eq!(slug("../../etc"), "etc");
        assert_eq!(slug("茶?"), "poll");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said() {
        let said = |text: &str| {
            let fields = serde_json::from_str(text).unwrap();
            PollFile::from_fields(Path::new("a.json"), fields).unwrap_err()
        };
        assert!(said("{}").contains("title"));
        assert!(said(r#"{"title": "T", "option": []}"#).contains("option"));
        assert!(said(r#"{"title": "T", "closed": 1}"#).contains("closed"));
        assert!(said(r#"{"title": "T", "invitations": 3}"#).contains("admission"));
        assert!(said(r#"{"title": "T", "ballots": "none"}"#).contains("open or secret"));
    }
}
