//! Words: the names of things.

use std::time::Duration;

use hustings_protocol::text::isolated;
use hustings_protocol::{
    Admission, Ballots, Command, ErrorCode, InvitationCounts, OptionId, PeerId, Poll, Results,
    Role, SettingsUpdate,
};

/// Said of a part of the page that did not arrive.
pub(crate) const MISSING: &str = "A part of this page did not arrive.";

/// The things that a page by plain HTTP does without. All else works there.
pub(crate) const INSECURE: &str = "This page came by plain HTTP: anybody in the network between can \
    change it, and the browser does not promise to keep what is stored here.";

/// The consequence of damage in a device of the user's own.
pub(crate) const LEFT_ASIDE: &str = "Something that is stored on this device cannot be read, and is \
    left aside. If a vote of yours was waiting in it, it is not sent: look whether it is counted, and \
    vote again.";

/// The name of a role.
pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Voter => "Voter",
        Role::Moderator => "Moderator",
        Role::Owner => "Host",
    }
}

/// The label of what sets somebody's role, by their name.
pub(crate) fn role_of(name: &str) -> String {
    format!("Role of {}", isolated(name))
}

/// The people who may vote, and what that means.
pub(crate) const fn admission(admission: Admission) -> (&'static str, &'static str) {
    match admission {
        Admission::Link => (
            "Everybody with the link",
            "Whoever has the link to the poll votes in it.",
        ),
        Admission::Invited => (
            "Only invited people",
            "Everybody with the link can watch. You make invitations when the poll is there, each a link of its own that \
             lets one person vote.",
        ),
    }
}

/// Told in place of a vote to somebody without an invitation.
pub(crate) const UNINVITED: &str = "Only invited people can vote in this poll. You can watch.";

/// Says why an invitation was not taken; nothing where its refusal has no words of its own.
pub(crate) fn invitation_refused(code: &ErrorCode) -> Option<&'static str> {
    let refusals = [
        (
            ErrorCode::UnknownInvitation,
            "This poll does not know your invitation: ask the person who sent it for the whole link.",
        ),
        (
            ErrorCode::InvitationUsed,
            "Your invitation was used already: each lets one person vote, and only once.",
        ),
        (
            ErrorCode::InvitationWithdrawn,
            "The host has withdrawn your invitation.",
        ),
        (
            ErrorCode::NotAllowed,
            "Your invitation was not needed: you may vote already, or everybody may.",
        ),
    ];
    let refusal = refusals.into_iter().find(|(of, _)| of == code);
    refusal.map(|(_, words)| words)
}

/// The numbers of a poll's invitations.
pub(crate) fn invitations(counts: InvitationCounts) -> String {
    let InvitationCounts {
        issued,
        used,
        withdrawn,
    } = counts;
    let issued = count(u64::from(issued), "invitation", "invitations");
    format!("{issued} made, {used} used, {withdrawn} withdrawn.")
}

/// The name of a way to vote, and what it means for those who do.
pub(crate) const fn ballots(ballots: Ballots) -> (&'static str, &'static str) {
    match ballots {
        Ballots::Secret => (
            "Secret votes",
            "Everybody sees who has voted, or in a poll of many how many have, and how many votes each option has. This \
             browser has the votes, to count them; its page shows nobody who chose what.",
        ),
        Ballots::Open => ("Open votes", "Everybody sees who chose what."),
    }
}

/// The name of a time from which results are shown, and what it means.
pub(crate) const fn results(results: Results) -> (&'static str, &'static str) {
    match results {
        Results::Live => (
            "At once",
            "Everybody sees the votes as they come in. Who watches closely may guess whose they are.",
        ),
        Results::AfterVote => (
            "After one’s own vote",
            "Nobody is led by the votes of others. When the poll is closed, everybody sees them.",
        ),
        Results::AfterClose => (
            "When the poll is closed",
            "Until then the others see only who has voted, or how many have.",
        ),
    }
}

/// Says before somebody votes who will see that vote.
pub(crate) const fn who_sees(ballots: Ballots, is_owner: bool) -> &'static str {
    match (ballots, is_owner) {
        (Ballots::Secret, false) => {
            "Only the host’s device is told what you choose. Others see that you have voted, and how many votes each \
             option has."
        }
        (Ballots::Secret, true) => {
            "The votes are secret. This device has them, to count them, and shows nobody who chose what: not even you."
        }
        (Ballots::Open, _) => "Everybody in this poll can see what you choose.",
    }
}

/// Says when results will be seen that are not shown yet; nothing where everybody sees them.
pub(crate) const fn when(results: Results, is_closed: bool, is_shown: bool) -> &'static str {
    match (results, is_shown) {
        (Results::Live, _) => "",
        (Results::AfterVote | Results::AfterClose, _) if is_closed => "",
        (Results::AfterVote, false) => "Results are shown once you have voted.",
        (Results::AfterVote, true) => "Others see the results once they have voted.",
        (Results::AfterClose, false) => "Results are shown when the host closes the poll.",
        (Results::AfterClose, true) => "Others see the results when you close the poll.",
    }
}

/// Says to a whole room when the results will be seen that are not shown to everybody yet.
pub(crate) const fn when_for_all(results: Results) -> &'static str {
    match results {
        Results::Live => "",
        Results::AfterVote => {
            "Vote to see the results. They are shown here when the poll is closed."
        }
        Results::AfterClose => "Results are shown when the poll is closed.",
    }
}

/// The most people that are named beside an option; the rest is counted.
const CHOOSERS: usize = 8;

/// The people who chose an option, where that is for everybody to see: by name and [`mark`].
/// Nothing for nobody.
pub(crate) fn chosen_by(poll: &Poll, peers: &[PeerId]) -> String {
    if peers.is_empty() {
        return String::new();
    }
    let named = peers.iter().take(CHOOSERS);
    let mut named: Vec<_> = named
        .map(|peer| format!("{} ({})", name_within(poll, *peer), mark(*peer)))
        .collect();
    if peers.len() > CHOOSERS {
        named.push(format!("{} more", peers.len() - CHOOSERS));
    }
    format!("Chosen by {}", named.join(", "))
}

/// The label of what makes another poll like one, by its title.
pub(crate) fn duplicate(title: &str) -> String {
    format!("Duplicate {}", quoted(title))
}

/// Says that the form has been filled with another poll's.
pub(crate) fn duplicated(title: &str) -> String {
    let from = quoted(title);
    format!(
        "This is a copy of {from}, without its votes. Change what you like: nothing is created yet."
    )
}

/// The label of what takes a poll out of the list, by its title.
pub(crate) fn forget(title: &str) -> String {
    format!("Forget {}", quoted(title))
}

/// Says that it is out of the list.
pub(crate) fn forgotten(title: &str) -> String {
    format!(
        "{} is no longer listed. Its link still opens it.",
        quoted(title)
    )
}

/// The label of what deletes a poll, by its title.
pub(crate) fn delete(title: &str) -> String {
    format!("Delete {}", quoted(title))
}

/// The question before a poll is deleted.
pub(crate) fn ask_to_delete(title: &str) -> String {
    let what = quoted(title);
    format!(
        "Delete {what} with all its votes? It cannot be had again, and nobody can open it any more."
    )
}

/// The label of what archives a poll, by its title.
pub(crate) fn archive(title: &str) -> String {
    format!("Archive {}", quoted(title))
}

/// The question before a move is taken back.
pub(crate) fn ask_to_cancel_move(title: &str) -> String {
    let what = quoted(title);
    format!(
        "Host {what} here again? Only if it was not opened from the file anywhere: where two host one poll, votes are lost."
    )
}

/// The fault in a passphrase that is too short.
pub(crate) fn weak(passphrase: &str, shortest: usize) -> Option<String> {
    let is_short = passphrase.chars().count() < shortest;
    is_short.then(|| {
        format!("Take {shortest} characters or more: several words that nobody would guess.")
    })
}

/// A file was made.
pub(crate) const fn saved(is_move: bool) -> &'static str {
    match is_move {
        true => {
            "The file is in your downloads. Open it on the other device: the polls are not hosted here any more. If \
             the file is lost, save it again, or cancel the move."
        }
        false => "The file is in your downloads.",
    }
}

/// The result of an import: polls that are new or go on, that were here already, and that are newer
/// here.
pub(crate) fn imported(taken: u64, same: u64, newer: u64) -> String {
    let mut said = vec!["The identity in the file is the one here now.".to_owned()];
    if taken > 0 {
        said.push(format!(
            "{} imported.",
            count(taken, "poll is", "polls are")
        ));
    }
    if same > 0 {
        let what = count(same, "poll was", "polls were");
        said.push(format!("{what} here already."));
    }
    if newer > 0 {
        let what = count(newer, "poll is", "polls are");
        said.push(format!("{what} newer here than in the file, and stayed."));
    }
    said.join(" ")
}

/// The label of what gives up the changes that wait for the host of a poll, by its title.
pub(crate) fn give_up(title: &str) -> String {
    format!("Give up what waits for {}", quoted(title))
}

/// The question before that.
pub(crate) fn ask_to_give_up(title: &str) -> String {
    let what = quoted(title);
    format!("Send no more to {what}? What was sent before may have arrived all the same.")
}

/// The end of so many changes, as far as it is known here.
pub(crate) fn given_up(number: u64) -> String {
    let what = count(number, "change is", "changes are");
    format!("{what} given up. Nobody here knows whether the host had it before.")
}

/// The name of a person, to show in an element of its own. People choose their names, so [`mark`]
/// tells two with the same name apart.
pub(crate) fn name(poll: &Poll, peer: PeerId) -> String {
    let profile = poll.member(peer).and_then(|member| member.profile.as_ref());
    match profile {
        Some(profile) => profile.name.clone(),
        None if peer == poll.owner() => "The host".to_owned(),
        None => "Guest".to_owned(),
    }
}

/// The name of a person within a sentence, whose direction it leaves alone.
pub(crate) fn name_within(poll: &Poll, peer: PeerId) -> String {
    isolated(&name(poll, peer))
}

/// The beginning of somebody's id, which nobody chooses.
pub(crate) fn mark(peer: PeerId) -> String {
    peer.to_string().chars().take(4).collect()
}

/// "1 vote", "2 votes".
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A part of a whole in whole percent: 0 and 100 only where it is none and all of it, as "0 %"
/// beside one vote, and "100 %" beside a vote against, would not be so.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    if part == 0 || whole == 0 {
        return 0;
    }
    if part >= whole {
        return 100;
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let rounded = (part * 200 + whole) / (whole * 2);
    u64::try_from(rounded).map_or(99, |rounded| rounded.clamp(1, 99))
}

/// The time until something happens, in seconds that have begun.
pub(crate) fn seconds(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1000);
    match seconds {
        0 => "now".to_owned(),
        seconds => format!("in {seconds} s"),
    }
}

/// A command in words: "your vote for Tea".
pub(crate) fn asked(poll: Option<&Poll>, command: &Command) -> String {
    match command {
        Command::Vote(vote) if vote.option_ids.is_empty() => "taking your vote back".to_owned(),
        Command::Vote(vote) => format!("your vote for {}", labels(poll, &vote.option_ids)),
        Command::AddOption(option) => format!("your option {}", quoted(&option.label)),
        Command::UpdateRole(update) => {
            format!("the role of {}", person(poll, update.peer_id))
        }
        Command::SetProfile(profile) => format!("your name {}", quoted(&profile.name)),
        Command::UpdateOption(update) => {
            let option = labels(poll, &[update.option_id]);
            match (&update.label, update.withdrawn) {
                (Some(label), _) => format!("the new label {}", quoted(label)),
                (None, Some(true)) => format!("withdrawing {option}"),
                (None, Some(false)) => format!("taking {option} back in"),
                (None, None) => format!("the change of {option}"),
            }
        }
        Command::RemovePeer(removal) => format!("removing {}", person(poll, removal.peer_id)),
        Command::ReadmitPeer(readmission) => {
            format!("readmitting {}", person(poll, readmission.peer_id))
        }
        Command::UpdateSettings(update) => settings(update).to_owned(),
        Command::IssueInvitations(_) => "making invitations".to_owned(),
        Command::WithdrawInvitations(_) => "withdrawing an invitation".to_owned(),
        Command::RedeemInvitation(_) => "your invitation".to_owned(),
        _ => "your change".to_owned(),
    }
}

/// A person within a sentence, whether the poll is there or not.
fn person(poll: Option<&Poll>, peer: PeerId) -> String {
    let name = poll.map(|poll| name_within(poll, peer));
    name.unwrap_or_else(|| "somebody".to_owned())
}

/// The label of what changes an option.
pub(crate) fn edit(label: &str) -> String {
    format!("Change {}", quoted(label))
}

/// The label of the field for an option's new label.
pub(crate) fn new_label(label: &str) -> String {
    format!("New label of {}", quoted(label))
}

/// The label of what withdraws an option, or takes it back in.
pub(crate) fn withdraw(label: &str, is_withdrawn: bool) -> String {
    match is_withdrawn {
        false => format!("Withdraw {}", quoted(label)),
        true => format!("Take back in {}", quoted(label)),
    }
}

/// Said beside an option that was withdrawn to whoever chose it.
pub(crate) const CHOSE_WITHDRAWN: &str =
    "You chose this option. It was withdrawn, and your vote for it does not count.";

/// The label of what removes somebody, or readmits them, by their name.
pub(crate) fn remove(name: &str, is_removed: bool) -> String {
    match is_removed {
        false => format!("Remove {}", isolated(name)),
        true => format!("Readmit {}", isolated(name)),
    }
}

/// The question before somebody is removed.
pub(crate) fn ask_to_remove(name: &str) -> String {
    let who = isolated(name);
    format!(
        "Remove {who} from this poll? Until somebody readmits {who}, they can neither see it nor vote."
    )
}

/// Said before somebody is removed who has voted, or of whom it is not known.
pub(crate) fn vote_of_removed(ballots: Ballots, has_voted: bool) -> String {
    let question = match has_voted {
        true => "They have voted: shall their vote stay?",
        false => "If they have voted, shall their vote stay?",
    };
    let warning = match ballots {
        Ballots::Open => "",
        Ballots::Secret => {
            " If it goes, the numbers change, and whoever watches them may see what it was for."
        }
    };
    format!("{question}{warning}")
}

/// Said beside the people of a poll that does not name its voters.
pub(crate) const COUNTED: &str =
    "Among so many people it is told how many have voted, and not who.";

/// The time until something happens, in its two largest units.
pub(crate) fn until(wait: Duration) -> String {
    let seconds = wait.as_millis().div_ceil(1000);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (hour, minute, second) = (hours % 24, minutes % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("in {second} s"),
        (0, 0, minutes) => format!("in {minutes} min {second} s"),
        (0, hours, _) => format!("in {hours} h {minute} min"),
        (1, ..) => format!("in 1 day {hour} h"),
        (days, ..) => format!("in {days} days {hour} h"),
    }
}

/// Says when an open poll closes. The host closes it: before that it is not said to be closed,
/// however late it is.
pub(crate) fn closing(left: Duration, is_connected: bool) -> String {
    match (left.is_zero(), is_connected) {
        (false, _) => format!("Closes {}", until(left)),
        (true, true) => "The time is up: the poll is about to close".to_owned(),
        (true, false) => "The time is up: the host closes the poll when it is back".to_owned(),
    }
}

/// A deadline that is not whole.
pub(crate) const INCOMPLETE: &str = "Give the date and the time, or clear them.";

/// A deadline in the past.
pub(crate) const PAST: &str = "This time has passed. Take a later one.";

/// A choice that came after a newer one of the same person.
pub(crate) fn superseded(poll: Option<&Poll>, command: &Command) -> String {
    let what = asked(poll, command);
    format!("Your newer choice counts. An older one came late and was dropped: {what}.")
}

/// A change of the settings: what it is, if it is one.
const fn settings(update: &SettingsUpdate) -> &'static str {
    let SettingsUpdate {
        closed,
        voters_may_add_options,
        results,
        title,
        closes_at,
        ..
    } = update;
    match (closed, voters_may_add_options, results, title, closes_at) {
        (Some(true), None, None, None, None) => "closing the poll",
        (Some(false), None, None, None, _) => "reopening the poll",
        (None, Some(true), None, None, None) => "letting voters add options",
        (None, Some(false), None, None, None) => "stopping voters from adding options",
        (None, None, Some(results), None, None) => match results {
            Results::Live => "showing the results at once",
            Results::AfterVote => "showing the results after one’s own vote",
            Results::AfterClose => "showing the results when the poll is closed",
        },
        (None, None, None, Some(_), None) => "the change of the question",
        (None, None, None, None, Some(Some(_))) => "the new deadline",
        (None, None, None, None, Some(None)) => "taking the deadline away",
        _ => "the change of the settings",
    }
}

/// The first letter as a capital one.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// The most options that one sentence names; the rest is counted.
const NAMED: usize = 5;

fn labels(poll: Option<&Poll>, options: &[OptionId]) -> String {
    let label = |option: &OptionId| {
        let option = poll.and_then(|poll| poll.option(*option));
        option.map_or_else(
            || "an unknown option".to_owned(),
            |option| quoted(&option.label),
        )
    };
    let mut labels: Vec<_> = options.iter().take(NAMED).map(label).collect();
    if options.len() > NAMED {
        labels.push(format!("{} more", options.len() - NAMED));
    }
    labels.join(", ")
}

/// A text that somebody typed, within a sentence.
pub(crate) fn quoted(text: &str) -> String {
    format!("“{}”", isolated(text))
}

#[cfg(test)]
mod tests {
    use hustings_protocol::{OptionAdd, UserProfile, Vote};

    use super::*;

    #[test]
    fn shares_are_rounded() {
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(2, 3), 67);
        assert_eq!(percent(1, 2), 50);
    }

    #[test]
    fn nothing_and_everything_are_only_said_where_it_is_so() {
        assert_eq!(percent(0, 300), 0);
        assert_eq!(percent(1, 300), 1);
        assert_eq!(percent(299, 300), 99);
        assert_eq!(percent(300, 300), 100);
        assert_eq!(percent(1, u64::MAX), 1);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn a_second_that_has_begun_counts() {
        assert_eq!(seconds(Duration::ZERO), "now");
        assert_eq!(seconds(Duration::from_millis(1)), "in 1 s");
        assert_eq!(seconds(Duration::from_millis(1_001)), "in 2 s");
    }

    #[test]
    fn a_countdown_has_its_two_largest_units() {
        let after = |seconds| until(Duration::from_secs(seconds));
        assert_eq!(until(Duration::from_millis(1)), "in 1 s");
        assert_eq!(after(59), "in 59 s");
        assert_eq!(after(60), "in 1 min 0 s");
        assert_eq!(after(3_599), "in 59 min 59 s");
        assert_eq!(after(3_660), "in 1 h 1 min");
        assert_eq!(after(86_400), "in 1 day 0 h");
        assert_eq!(after(3 * 86_400 - 1), "in 2 days 23 h");
    }

    #[test]
    fn a_poll_is_closed_only_when_its_host_has_closed_it() {
        assert_eq!(closing(Duration::from_secs(2), true), "Closes in 2 s");
        for is_connected in [true, false] {
            let said = closing(Duration::ZERO, is_connected);
            assert!(!said.contains("closed"), "{said}");
        }
    }

    #[test]
    fn what_somebody_typed_turns_no_words_around_it() {
        let id = "01234567-89ab-4cde-8f01-23456789abcd";
        let option = |label: &str| {
            Command::AddOption(OptionAdd {
                poll_id: id.parse().unwrap(),
                option_id: id.parse().unwrap(),
                label: label.to_owned(),
            })
        };
        let asked = |label: &str| asked(None, &option(label));
        assert_eq!(asked("Te\u{202e}a"), "your option “\u{2068}Tea\u{2069}”");
        assert_eq!(asked("a\u{2069}b"), "your option “\u{2068}ab\u{2069}”");
        let name = "\u{5d3}\u{202e}\u{5d5}\u{5d3}";
        let profile = Command::SetProfile(UserProfile {
            name: name.to_owned(),
        });
        let expected = "your name “\u{2068}\u{5d3}\u{5d5}\u{5d3}\u{2069}”";
        assert_eq!(super::asked(None, &profile), expected);
        assert_eq!(delete("a\u{202e}"), "Delete “\u{2068}a\u{2069}”");
        assert!(ask_to_delete("a\u{2069}").contains("“\u{2068}a\u{2069}” with"));
        assert!(give_up("a\u{202e}").ends_with("“\u{2068}a\u{2069}”"));
        assert!(ask_to_give_up("a\u{202e}").contains("“\u{2068}a\u{2069}”?"));
        assert_eq!(role_of("Bob\u{202e}"), "Role of \u{2068}Bob\u{2069}");
        assert_eq!(remove("Bob\u{202e}", false), "Remove \u{2068}Bob\u{2069}");
        assert!(ask_to_remove("Bob\u{202e}").contains(" \u{2068}Bob\u{2069} from"));
        assert_eq!(edit("a\u{202e}"), "Change “\u{2068}a\u{2069}”");
        assert!(new_label("a\u{202e}").ends_with("“\u{2068}a\u{2069}”"));
        assert!(withdraw("a\u{202e}", true).ends_with("in “\u{2068}a\u{2069}”"));
    }

    #[test]
    fn a_vote_for_many_is_told_in_one_sentence() {
        let id = "01234567-89ab-4cde-8f01-23456789abcd";
        let vote = Command::Vote(Vote {
            poll_id: id.parse().unwrap(),
            option_ids: vec![id.parse().unwrap(); 105],
        });
        let named = ["an unknown option"; NAMED].join(", ");
        assert_eq!(
            asked(None, &vote),
            format!("your vote for {named}, 100 more")
        );
    }

    #[test]
    fn an_older_choice_is_told_beside_what_counts() {
        let id = "01234567-89ab-4cde-8f01-23456789abcd";
        let back = Command::Vote(Vote {
            poll_id: id.parse().unwrap(),
            option_ids: Vec::new(),
        });
        let said = superseded(None, &back);
        assert!(said.starts_with("Your newer choice counts."), "{said}");
        assert!(said.ends_with("dropped: taking your vote back."), "{said}");
    }

    #[test]
    fn a_change_of_the_settings_is_told_as_what_it_is() {
        let id = "01234567-89ab-4cde-8f01-23456789abcd".parse().unwrap();
        let told = |update| asked(None, &Command::UpdateSettings(update));
        let update = SettingsUpdate::new(id);
        assert_eq!(told(update.clone().closed(true)), "closing the poll");
        let results = update.clone().results(Results::AfterClose);
        let expected = "showing the results when the poll is closed";
        assert_eq!(told(results), expected);
        let both = update.clone().closed(true).results(Results::Live);
        assert_eq!(told(both), "the change of the settings");
        let title = update.clone().title("Which?");
        assert_eq!(told(title), "the change of the question");
        let deadline = |at: Option<u64>| update.clone().closes_at(at);
        assert_eq!(told(deadline(Some(1))), "the new deadline");
        assert_eq!(told(deadline(None)), "taking the deadline away");
        assert_eq!(told(deadline(Some(1)).closed(false)), "reopening the poll");
    }

    #[test]
    fn it_is_said_when_results_come_and_only_where_they_do_not_show() {
        for results in [Results::Live, Results::AfterVote, Results::AfterClose] {
            assert_eq!(when(results, true, true), "", "a closed poll shows all");
            for is_shown in [true, false] {
                let said = when(results, false, is_shown);
                assert_eq!(said.is_empty(), results == Results::Live, "{said}");
            }
        }
        let to_voter = when(Results::AfterVote, false, false);
        assert_eq!(to_voter, "Results are shown once you have voted.");
    }

    #[test]
    fn who_sees_a_vote_is_said_as_it_is() {
        assert!(who_sees(Ballots::Open, false).contains("Everybody"));
        assert!(who_sees(Ballots::Secret, false).contains("Only the host’s device"));
        assert!(who_sees(Ballots::Secret, true).contains("This device has them"));
    }

    #[test]
    fn sentences_begin_with_a_capital() {
        assert_eq!(sentence("your vote"), "Your vote");
        assert_eq!(sentence(""), "");
    }
}
