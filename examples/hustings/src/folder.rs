//! The data folder: one identity, and a store that one process has at a time.

use std::fs::{self, DirBuilder};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use hustings_outbox::{Identity, Journal, RedbStore};
use hustings_protocol::{PollId, RoomId, RoomLink};

use crate::cli;
use crate::failure::Failure;

/// The store of a folder.
const STORE: &str = "hustings.redb";

/// A data folder that is open here, and nowhere else until this is dropped.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) store: RedbStore,
    pub(crate) identity: Identity,
}

impl Folder {
    /// Opens the folder of these flags, and makes it if there is none. Only its user can read it.
    pub(crate) async fn open(args: &cli::Folder) -> Result<Self, Failure> {
        let path = path(args)?;
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(Failure::file(&path))?;
        Self::open_at(path).await
    }

    /// Opens a folder that has to be there.
    pub(crate) async fn open_existing(path: &Path) -> Result<Self, Failure> {
        if !is_folder(path) {
            return Err(Failure::NoFolder(path.to_owned()));
        }
        Self::open_at(path.to_owned()).await
    }

    async fn open_at(path: PathBuf) -> Result<Self, Failure> {
        let file = path.join(STORE);
        let store = RedbStore::open(&file).map_err(Failure::store(&path))?;
        let identity = Identity::load_or_create(&store, 0).await;
        let identity = identity.map_err(Failure::store(&path))?;
        Ok(Self {
            path,
            store,
            identity,
        })
    }

    /// The polls of this identity whose journals are here, hosted or put aside.
    pub(crate) async fn own_polls(&self) -> Result<Vec<RoomId>, Failure> {
        let listed = Journal::list(&self.store).await;
        let mut rooms = listed.map_err(Failure::store(&self.path))?.found;
        rooms.retain(|room| room.owner == self.identity.peer_id());
        Ok(rooms)
    }

    /// The poll of this folder that somebody means, by its link or its id.
    pub(crate) async fn find(&self, text: &str) -> Result<RoomId, Failure> {
        let polls = self.own_polls().await?;
        let id = text.parse::<PollId>().ok();
        let id = id.or_else(|| RoomLink::find(text).ok().map(|link| link.room.poll_id));
        let found = polls.into_iter().find(|room| Some(room.poll_id) == id);
        found.ok_or_else(|| Failure::NoPoll(text.to_owned()))
    }
}

/// The folder of these flags.
pub(crate) fn path(args: &cli::Folder) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.data {
        return Ok(path.clone());
    }
    let base = etcetera::choose_base_strategy().map_err(|_| Failure::NoHome)?;
    Ok(base.data_dir().join("hustings"))
}

/// True if a data folder is there.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.join(STORE).is_file()
}

/// Replaces a file by one with this text, which is whole after a crash, or the old one is. Only
/// this user reads it.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // One that a crash has left may have another mode.
    let _ = fs::remove_file(&new);
    write_new(&new, text.as_bytes())?;
    fs::rename(&new, path).map_err(Failure::file(path))?;
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        // Until then the name may be lost with the power.
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(Failure::file(path))?;
    }
    Ok(())
}

/// Writes a file that was not there. Only this user reads it.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;

    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(Failure::file(path))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(Failure::file(path))
}
