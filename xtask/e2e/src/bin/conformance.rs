//! `cargo xtask conformance`: PeerJS's own end-to-end pages, with the broker as their server.
//!
//! The pages come from PeerJS's repository, which `HUSTINGS_E2E_PEERJS` names, and PeerJS itself
//! from npm. The steps are those of its tests, which also say what is to be transferred and how;
//! they are read from there, so that nothing is left out unnoticed. In the pages two things are
//! replaced: the server that PeerJS goes to by itself, and the address that chai comes from.

#[cfg(unix)]
fn main() {
    pages::run();
}

#[cfg(not(unix))]
fn main() {
    eprintln!("it needs process groups, which only Unix has");
}

#[cfg(unix)]
mod pages {
    use std::env;
    use std::fs;
    use std::path::{Path, PathBuf};

    use anyhow::Context;
    use hustings_e2e::bounds::SOON;
    use hustings_e2e::{Page, Pages, Tab, World, scenario};
    use tempfile::TempDir;

    /// The tests that say nothing about the broker, each with the reason.
    const NOT_APPLICABLE: &str = include_str!("../../conformance/not-applicable.txt");

    /// Pages that are told of no server go to PeerJS's own.
    const OUR_SERVER: &str = "
;(() => {
  const { Peer } = window.peerjs
  class OurPeer extends Peer {
    constructor(id, options) {
      if (id?.constructor === Object) [id, options] = [undefined, id]
      const ours = { host: '127.0.0.1', port: PORT, secure: false, config: { iceServers: [] } }
      super(id, { ...ours, ...options })
    }
  }
  window.peerjs = { ...window.peerjs, Peer: OurPeer }
})()
";

    /// chai from npm makes itself known to the window.
    const CHAI: &str = "import '/npm/chai/chai.js'\nexport const { expect } = window.chai\n";

    pub(super) fn run() {
        scenario(async |world| {
            let repository = env::var_os("HUSTINGS_E2E_PEERJS").map(PathBuf::from);
            let repository = repository.context("run `cargo xtask conformance`")?;
            let port = world.broker().await.port();
            let site = site(world, &repository.join("e2e"), port)?;
            let npm = world.npm_folder();
            let pages = Pages::serve(&[("/", site.path()), ("/npm", &npm)]).await?;
            let theirs = Theirs::begin(world, pages).await?;
            let mut faults = Vec::new();
            let mut seen = 0;
            let mut tell = |name: String, done: anyhow::Result<()>| {
                seen += 1;
                let listed = format!("peerjs: {name}: ");
                let reason = NOT_APPLICABLE
                    .lines()
                    .find_map(|line| line.strip_prefix(&listed));
                match (done, reason) {
                    (Ok(()), None) => println!("peerjs: {name}: passed"),
                    (Err(_), Some(reason)) => println!("peerjs: {name}: not applicable ({reason})"),
                    (Ok(()), Some(_)) => faults.push(format!("{name}: passes, and is listed")),
                    (Err(error), None) => faults.push(format!("{name}: {error:#}")),
                }
            };
            for (file, serialization) in transfers(&repository)? {
                let done = theirs.transfer(&file, &serialization).await;
                tell(format!("{serialization} {file}"), done);
            }
            for (page, message) in peer_pages(&repository)? {
                let done = theirs.peer(&page, &message).await;
                tell(format!("peer {page}"), done);
            }
            tell("media close".into(), theirs.call().await);
            println!("{seen} pages of PeerJS");
            anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
            Ok(())
        });
    }

    /// Lays out what the pages want to find.
    fn site(world: &World, e2e: &Path, port: u16) -> anyhow::Result<TempDir> {
        let site = TempDir::new()?;
        copy(e2e, &site.path().join("e2e"))?;
        fs::write(site.path().join("chai.js"), CHAI)?;
        let dist = site.path().join("dist");
        fs::create_dir_all(&dist)?;
        let ours = OUR_SERVER.replace("PORT", &port.to_string());
        for name in ["peerjs.js", "peerjs.min.js"] {
            let peerjs = world.npm(&format!("peerjs/dist/{name}"))?;
            // The last line is a comment without an end.
            fs::write(dist.join(name), format!("{peerjs}\n{ours}"))?;
        }
        let serializer = "serializer.msgpack.mjs";
        let msgpack = world.npm(&format!("peerjs/dist/{serializer}"))?;
        fs::write(dist.join(serializer), msgpack)?;
        Ok(site)
    }

    fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
            let (path, to) = (entry.as_ref().map(fs::DirEntry::path), &to);
            let path = path.map_err(|error| anyhow::anyhow!("{error}"))?;
            let to = to.join(path.file_name().unwrap_or_default());
            if path.is_dir() {
                copy(&path, &to)?;
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let lines = text
                .lines()
                .map(|line| match line.split_once("\"https://esm.sh/") {
                    Some((import, _)) if line.contains("/chai@") => {
                        format!("{import}\"/chai.js\";")
                    }
                    Some(_) | None => line.to_owned(),
                });
            fs::write(to, lines.collect::<Vec<_>>().join("\n"))?;
        }
        Ok(())
    }

    /// The lines of a test that are no comment.
    fn code(spec: &Path) -> anyhow::Result<String> {
        let text = fs::read_to_string(spec).with_context(|| spec.display().to_string())?;
        let lines = text.lines().map(str::trim);
        let code: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
        Ok(code.join("\n"))
    }

    /// The first text in quotation marks, and what comes behind it.
    fn quoted(code: &str) -> anyhow::Result<(&str, &str)> {
        let rest = code.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ',');
        let mark = rest.chars().next().context("a text")?;
        let found = rest[mark.len_utf8()..].split_once(mark);
        found.with_context(|| format!("{mark} has no end"))
    }

    /// The data and the serializations that are tested.
    fn transfers(repository: &Path) -> anyhow::Result<Vec<(String, String)>> {
        let mut transfers = Vec::new();
        let folder = repository.join("e2e/datachannel");
        let mut specs: Vec<PathBuf> = fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(".spec.ts"))
            .collect();
        specs.sort();
        for spec in specs {
            let code = code(&spec)?;
            for call in code.split("serializationTest(").skip(1) {
                let (file, rest) = quoted(call)?;
                let (serialization, _) = quoted(rest)?;
                transfers.push((file.to_owned(), serialization.to_owned()));
            }
        }
        anyhow::ensure!(!transfers.is_empty(), "no transfers in PeerJS's tests");
        Ok(transfers)
    }

    /// The pages about registration, and the message that each is to show.
    fn peer_pages(repository: &Path) -> anyhow::Result<Vec<(String, String)>> {
        let code = code(&repository.join("e2e/peer/peer.spec.ts"))?;
        let tests = code.split("P.open(").skip(1).map(|test| {
            let (page, rest) = quoted(test)?;
            let (_, rest) = rest.split_once("P.waitForMessage(").context("a message")?;
            let (message, _) = quoted(rest)?;
            Ok((page.to_owned(), message.to_owned()))
        });
        tests.collect()
    }

    /// Alice and Bob, who are in all of PeerJS's tests.
    struct Theirs {
        pages: Pages,
        alice: Tab,
        bob: Tab,
    }

    impl Theirs {
        async fn begin(world: &World, pages: Pages) -> anyhow::Result<Self> {
            let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
            Ok(Self {
                pages,
                alice: alice.open(&Page::blank()).await?,
                bob: bob.open(&Page::blank()).await?,
            })
        }

        /// A page. The keys are those of the server, by the names that the pages have for them.
        fn page(&self, path: &str, ready: &'static str) -> Page {
            let keys = "key=peerjs&BYPASS_WAF=peerjs";
            let and = if path.contains('?') { '&' } else { '?' };
            Page::new(self.pages.url(&format!("e2e/{path}{and}{keys}")), ready)
        }

        async fn transfer(&self, file: &str, serialization: &str) -> anyhow::Result<()> {
            let path = format!(
                "datachannel/serialization.html?testfile={file}&serialization={serialization}"
            );
            let page = self.page(&path, "!document.getElementById('connect-btn').disabled");
            self.alice.go(&page).await?;
            self.bob.go(&page).await?;
            self.introduce().await?;
            click(&self.alice, "connect-btn").await?;
            says(&self.alice, "Connected!").await?;
            click(&self.alice, "send-btn").await?;
            says(&self.alice, "Sent!").await?;
            says(&self.bob, "Closed!").await?;
            click(&self.bob, "check-btn").await?;
            says(&self.bob, "Checked!").await?;
            is_empty(&self.bob).await?;
            let result = text(&self.bob, "result").await?;
            anyhow::ensure!(result == "Success!", "{result}");
            Ok(())
        }

        async fn call(&self) -> anyhow::Result<()> {
            let ready = "!document.getElementById('call-btn').disabled";
            let page = self.page("mediachannel/close.html", ready);
            self.alice.go(&page).await?;
            self.bob.go(&page).await?;
            self.introduce().await?;
            click(&self.alice, "call-btn").await?;
            says(&self.alice, "Connected!").await?;
            says(&self.bob, "Connected!").await?;
            click(&self.bob, "close-btn").await?;
            says(&self.bob, "Closed!").await?;
            says(&self.alice, "Closed!").await
        }

        async fn peer(&self, page: &str, message: &str) -> anyhow::Result<()> {
            let page = self.page(&format!("peer/{page}.html"), "true");
            self.alice.go(&page).await?;
            says(&self.alice, message).await?;
            is_empty(&self.alice).await
        }

        /// Alice gets Bob's id.
        async fn introduce(&self) -> anyhow::Result<()> {
            const ID: &str = "Your Peer ID: ";
            says(&self.bob, ID).await?;
            says(&self.alice, ID).await?;
            let said = text(&self.bob, "messages").await?;
            let id = said.strip_prefix(ID).unwrap_or_default();
            self.alice.fill("#receiver-id", id).await
        }
    }

    async fn says(tab: &Tab, start: &str) -> anyhow::Result<()> {
        let start_json = serde_json::to_string(start)?;
        let says =
            format!("document.getElementById('messages').textContent.startsWith({start_json})");
        tab.wait_for(&format!("{start:?}"), &says, SOON).await?;
        Ok(())
    }

    async fn is_empty(tab: &Tab) -> anyhow::Result<()> {
        let error = text(tab, "error-message").await?;
        anyhow::ensure!(error.is_empty(), "{error}");
        Ok(())
    }

    async fn text(tab: &Tab, id: &str) -> anyhow::Result<String> {
        tab.run_with("return document.getElementById(arg).textContent", id)
            .await
    }

    async fn click(tab: &Tab, id: &str) -> anyhow::Result<()> {
        tab.click(&format!("#{id}")).await
    }
}
