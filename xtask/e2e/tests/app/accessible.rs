//! The findings of axe in each view: light and dark, on a phone and on a desktop.

use hustings_e2e::bounds::{BACK, SOON};
use hustings_e2e::{Page, TakesPart, World, scenario};
use serde_json::json;

use crate::deadline::SETTING;
use crate::member::{Device, Member, begin_by, result};
use crate::screen;

/// Every finding that keeps somebody from using the page, or nearly: which, what about it, and
/// where.
const AXE: &str = "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations
        .filter(violation => ['serious', 'critical'].includes(violation.impact))
        .flatMap(({ id, impact, nodes }) => nodes.map(node =>
            `${id} (${impact}) at ${node.target.join(' ')}: ${node.failureSummary.replaceAll(/\\s+/g, ' ')}`))";

/// Collects the findings of every view.
struct Audit {
    axe: String,
    findings: Vec<String>,
}

impl Audit {
    fn begin(world: &World) -> anyhow::Result<Self> {
        Ok(Self {
            axe: world.npm("axe-core/axe.min.js")?,
            findings: Vec::new(),
        })
    }

    /// Looks at what somebody has before them.
    async fn look(&mut self, member: &Member, view: &str) -> anyhow::Result<()> {
        let inject = format!("if (!window.axe) {{ {} }}", self.axe);
        member.tab.run::<()>(&inject).await?;
        for device in [Device::Desktop, Device::Phone] {
            device.shape(&member.tab).await?;
            for scheme in ["light", "dark"] {
                let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
                let media = json!({ "features": features });
                member
                    .tab
                    .devtools("Emulation.setEmulatedMedia", media)
                    .await?;
                // What is still fading in has no contrast yet.
                member.rests().await?;
                let found: Vec<String> = member.tab.run(AXE).await?;
                let found = found
                    .into_iter()
                    .map(|finding| format!("{view}, {device:?}, {scheme}: {finding}"));
                self.findings.extend(found);
            }
        }
        Ok(())
    }

    fn end(self) {
        let Self { findings, .. } = self;
        assert!(findings.is_empty(), "axe found\n{}", findings.join("\n"));
    }
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn axe_finds_nothing_serious_in_any_view() {
    scenario(async |world| {
        let mut audit = Audit::begin(world)?;
        let ann = Member::enter_on(world, "the owner", Device::Desktop).await?;
        ann.goes_to(&world.app()?).await?;
        ann.sees("New poll", SOON).await?;
        audit.look(&ann, "the start").await?;

        let mut poll = begin_by(world, ann).await?;
        let bob = poll.join("bob").await?;
        bob.is_called("Bob").await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;
        poll.owner.sees("Bob", SOON).await?;
        audit.look(&poll.owner, "the host's room").await?;
        audit.look(&bob, "the voter's room").await?;

        for (member, view) in [
            (&poll.owner, "the host's big screen"),
            (&bob, "the voter's big screen"),
        ] {
            member
                .clicks("//a[normalize-space()='Show on a big screen']")
                .await?;
            member.sees("Scan to join", SOON).await?;
            audit.look(member, view).await?;
            member.presses_escape().await?;
            member.sees("Invite people", SOON).await?;
        }

        let link = &poll.link;
        let beside = poll.owner.beside(link).await?;
        beside.sees("hosted in another tab", SOON).await?;
        audit.look(&beside, "hosted in another tab").await?;
        beside.tab.close().await?;

        let other = |poll: &str| format!("{}{poll}", &link[..link.len() - poll.len()]);
        let beside = bob
            .beside(&other("00000000-0000-4000-8000-000000000000"))
            .await?;
        beside.reads("This poll cannot be joined", SOON).await?;
        audit.look(&beside, "a poll that there is not").await?;
        beside.tab.close().await?;
        let beside = bob.beside(&format!("{}#/half", world.app()?)).await?;
        beside.sees("This is no poll", SOON).await?;
        audit.look(&beside, "half a link").await?;
        beside.tab.close().await?;

        bob.tab.fall_silent().await?;
        bob.votes_for("Pizza").await?;
        bob.is_sending().await?;
        audit.look(&bob, "a vote that is pending").await?;
        poll.owner.clicks(&screen::button("Close the poll")).await?;
        bob.sees("This poll is closed", SOON).await?;
        bob.tab.cut_and_speak().await?;
        bob.sees("was refused", SOON).await?;
        audit.look(&bob, "a vote that was refused").await?;

        poll.owner.tab.close().await?;
        bob.is_alone(SOON).await?;
        audit.look(&bob, "the owner is away").await?;

        poll.owner.take_new_tab(world).await?;
        poll.owner.goes_to(&world.app()?).await?;
        poll.owner.sees("Your polls", SOON).await?;
        poll.owner.clicks(&screen::button("Delete")).await?;
        poll.owner.sees("with all its votes?", SOON).await?;
        audit
            .look(&poll.owner, "the question before a poll is deleted")
            .await?;
        bob.is_connected(BACK).await?;
        bob.sees("This poll is closed", SOON).await?;
        audit.look(&bob, "a poll that is closed").await?;
        let unusable = format!("{}?ice=all", world.app()?);
        let said = "document.querySelector('[role=alert] h1') !== null";
        bob.tab.go(&Page::new(unusable, said)).await?;
        audit.look(&bob, "settings that cannot be used").await?;
        audit.end();
        Ok(())
    });
}

#[test]
#[ignore = "needs a browser: cargo xtask test --browsers"]
fn axe_finds_nothing_serious_where_a_poll_is_moderated() {
    scenario(async |world| {
        let mut audit = Audit::begin(world)?;
        let ann = Member::enter_on(world, "the owner", Device::Desktop).await?;
        ann.goes_to(&world.app()?).await?;
        ann.sees("New poll", SOON).await?;
        let poll = begin_by(world, ann).await?;
        let host = &poll.owner;
        let (bob, cat) = (poll.join("bob").await?, poll.join("cat").await?);
        cat.is_called("Cat").await?;
        bob.is_called("Bob").await?;
        bob.votes_for("Thai").await?;
        poll.agrees(&[&bob, &cat], result(&[("Thai", 1), ("Pizza", 0)]))
            .await?;

        host.chooses(SETTING, 3_600, "Set the deadline").await?;
        bob.sees("Closes in", SOON).await?;
        host.clicks("//summary[normalize-space()='Change options']")
            .await?;
        host.clicks_on("Withdraw “", "Thai", "”").await?;
        host.clicks_on("Change “", "Pizza", "”").await?;
        host.removes("Cat", "Remove").await?;
        host.clicks_on("Remove ", "Bob", "").await?;
        bob.sees("Withdrawn", SOON).await?;
        cat.sees("You were removed from this poll", SOON).await?;
        audit.look(host, "what a host changes").await?;
        audit.look(&bob, "a vote for what was withdrawn").await?;
        audit.look(&cat, "somebody who was removed").await?;
        host.chooses(SETTING, -60, "Change the deadline").await?;
        host.sees("This time has passed", SOON).await?;
        audit.look(host, "a deadline that has passed").await?;
        audit.end();
        Ok(())
    });
}
