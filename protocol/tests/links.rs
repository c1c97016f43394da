//! Room links in what people paste: found whatever became of them on their way, and otherwise the
//! sentence says the fault.

#![allow(
    clippy::unwrap_used,
    reason = "the lint lets tests unwrap, but does not know their helpers"
)]

use hustings_protocol::{FindLinkError, PeerId, PollId, RoomId, RoomLink};
use proptest::prelude::*;

const OWNER: &str = "mfrggzdfmztwq2lknnwg23tpobyxe43uov3ho6dzpiydcmrtgq2q";
const POLL: &str = "01234567-89ab-4cde-8f01-23456789abcd";

fn room() -> RoomId {
    RoomId {
        owner: OWNER.parse().unwrap(),
        poll_id: POLL.parse().unwrap(),
    }
}

/// The link with something between its characters at these places.
fn broken(at: &[usize], by: &str) -> String {
    let mut link = room().to_string();
    for &at in at.iter().rev() {
        link.insert_str(at, by);
    }
    link
}

fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[test]
fn a_link_is_found_in_what_people_paste() {
    let link = room().to_string();
    let address = format!("https://example.org/polls/?ice=none#/{link}");
    let wrapped = |address: &str| {
        let url = encoded(address);
        format!(
            "https://eur01.safelinks.example.com/?url={url}&data=05%7C01%7Cab%40c.org%7C0&sdata=x%3D"
        )
    };
    let google = format!(
        "https://www.example.com/url?q={}&sa=D&ust=170000",
        encoded(&address)
    );
    let upper = address.to_uppercase();
    for text in [
        link.clone(),
        address.clone(),
        format!("  {address}\r\n\r\n"),
        format!(" \u{a0}{link}\n"),
        format!("{address}."),
        format!("Here: {address}, thanks"),
        format!("({address})"),
        format!("<{address}>"),
        format!("“{address}”"),
        format!("*{address}*!"),
        format!("[{address}]({address})"),
        format!("Please vote: {address} thanks!"),
        format!("vote100%{link}and then some"),
        format!("{address}?utm_source=x"),
        format!("{address}&utm_source=x&fbclid=00000000-0000-4000-8000-000000000000"),
        format!("{address}\u{200b}"),
        format!("{address}\u{200e}"),
        format!("\u{feff}{link}\u{2069}"),
        format!("\u{202a}{address}\u{202c}"),
        upper,
        format!("#%2F{OWNER}%2F{POLL}"),
        format!("#%2f{OWNER}%2f{POLL}"),
        format!("{OWNER}%2F{POLL}"),
        format!("{OWNER}%252F{POLL}"),
        format!("{OWNER}%25252f{POLL}"),
        format!("{OWNER}%2=\r\nF{POLL}"),
        encoded(&format!("{address}\u{200b}")),
        wrapped(&address),
        wrapped(&wrapped(&address)),
        wrapped(&format!("{OWNER}\u{200b}/{POLL}")),
        google,
        // The second is the same poll.
        format!("{address} or {link}"),
        format!("{} or {link}", wrapped(&address)),
    ] {
        assert_eq!(RoomId::find(&text), Ok(room()), "{text:?}");
    }
}

/// The text of an invitation to [`room`].
const SECRET: &str = "k5uw42ldnb2gs3thebqxg5dpny";

fn invitation() -> RoomLink {
    RoomLink {
        room: room(),
        invitation: Some(SECRET.parse().unwrap()),
    }
}

#[test]
fn an_invitation_is_found_with_its_room() {
    let link = invitation().to_string();
    assert_eq!(link, format!("{OWNER}/{POLL}/invited/{SECRET}"));
    let address = format!("https://example.org/polls/#/{link}");
    for text in [
        link.clone(),
        address.to_uppercase(),
        format!("({address})."),
        format!("Please vote: {address} thanks!"),
        format!("{address}?utm_source=x"),
        encoded(&encoded(&address)),
        format!("vote100%{link}"),
        // The plain link is the same poll, and so is one that was cut off.
        format!("{} or {address} or {address}", room()),
        format!("{address} and {}", &link[..link.len() - 3]),
    ] {
        assert_eq!(RoomLink::find(&text), Ok(invitation()), "{text:?}");
        assert_eq!(RoomId::find(&text), Ok(room()), "{text:?}");
    }
    for at in [1, 52, 88, 89, 90, 94, 97, 98, 110, 122] {
        for by in ["\n", "=\r\n", "\n> ", "\u{200b}", "%0D%0A"] {
            let mut broken = link.clone();
            broken.insert_str(at, by);
            assert_eq!(RoomLink::find(&broken), Ok(invitation()), "{broken:?}");
        }
    }
    for text in [
        room().to_string(),
        format!("{}?present", room()),
        format!("{}/invite", room()),
    ] {
        let plain = RoomLink {
            room: room(),
            invitation: None,
        };
        assert_eq!(RoomLink::find(&text), Ok(plain), "{text:?}");
    }
}

#[test]
fn an_invitation_that_is_not_whole_is_none() {
    let link = invitation().to_string();
    let other = link.replace(SECRET, &"a".repeat(26));
    for (text, fault) in [
        (
            link[..link.len() - 4].to_owned(),
            FindLinkError::IncompleteInvitation { missing: 4 },
        ),
        (
            format!("{}/invited/.", room()),
            FindLinkError::IncompleteInvitation { missing: 26 },
        ),
        (format!("{link}a"), FindLinkError::DamagedInvitation),
        (
            link.replace("k5uw", "k0uw"),
            FindLinkError::DamagedInvitation,
        ),
        // The last character has bits that belong to no byte.
        (
            link.replace("dpny", "dpnz"),
            FindLinkError::DamagedInvitation,
        ),
        (
            format!("{link} {other} {link}"),
            FindLinkError::SeveralInvitations,
        ),
        ("no link".to_owned(), FindLinkError::Nothing),
    ] {
        assert_eq!(RoomLink::find(&text), Err(fault), "{text:?}");
    }
    assert_eq!(
        format!("{:?}", invitation().invitation),
        "Some(InvitationSecret(..))"
    );
}

#[test]
fn a_percent_sign_before_a_link_is_no_encoding() {
    let link = format!("{}/{POLL}", "a".repeat(52));
    for before in ["100%", "%%", "%a", "%2", "%25", "x%61%"] {
        let found = RoomId::find(&format!("{before}{link}")).map(|room| room.to_string());
        assert_eq!(found.as_ref(), Ok(&link), "{before}");
    }
}

#[test]
fn a_link_that_was_broken_is_whole_again() {
    let breaks = [
        "\n",
        "\r\n",
        "=\r\n",
        "=\n",
        "\n> ",
        "\r\n>> ",
        "\n> > ",
        " \n",
        "\n    ",
        "\n\n",
        " ",
        " > ",
        "\u{2028}",
        "\u{200b}",
        "\u{200e}",
        "\u{feff}",
        "\u{ad}",
        "\u{2060}\n",
        "%0D%0A",
        "%E2%80%8B",
    ];
    for by in breaks {
        for at in [
            &[1][..],
            &[20],
            &[51],
            &[52],
            &[53],
            &[61],
            &[62],
            &[88],
            &[30, 60],
            &[10, 20, 50, 80],
        ] {
            let link = broken(at, by);
            for text in [
                link.clone(),
                format!("Please vote:\n> https://example.org/#/{link} thanks"),
                format!("see\r\n{link}\r\nand answer soon"),
                format!("(see {link})"),
            ] {
                assert_eq!(RoomId::find(&text), Ok(room()), "{text:?}");
            }
        }
    }
}

#[test]
fn two_links_are_an_error_unless_they_are_one() {
    let other = format!("{}/{POLL}", "a".repeat(52));
    for text in [
        format!("{}\n{other}", room()),
        format!("{}{other}", room()),
        format!("https://example.org/#/{} or {}", room(), encoded(&other)),
        format!("{} {other}", broken(&[40, 70], "=\r\n")),
        format!("{OWNER}/{POLL} {OWNER}/00000000-0000-4000-8000-000000000000"),
    ] {
        assert_eq!(RoomId::find(&text), Err(FindLinkError::Several), "{text:?}");
    }
}

#[test]
fn of_a_part_it_is_said_how_much_is_missing() {
    let link = room().to_string();
    let (from, to) = (24, link.len());
    for len in from..to {
        let missing = to - len;
        for text in [
            link[..len].to_owned(),
            format!(
                "Please vote: https://example.org/#/{}… thanks",
                &link[..len]
            ),
            format!("(https://example.org/#/{})", link[..len].to_uppercase()),
            encoded(&format!("https://example.org/#/{}", &link[..len])),
        ] {
            let expected = Err(FindLinkError::Incomplete { missing });
            assert_eq!(RoomId::find(&text), expected, "{text:?}");
        }
    }
    for missing in 1..=40 {
        let text = &link[missing..];
        let expected = Err(FindLinkError::Incomplete { missing });
        assert_eq!(RoomId::find(text), expected, "{text:?}");
    }
    // The words before it are no part of it.
    let text = format!("please choose there {}", &link[7..]);
    assert_eq!(
        RoomId::find(&text),
        Err(FindLinkError::Incomplete { missing: 7 })
    );
    // The line that is missing is the last of three.
    let text = format!("https://example.org/#/{}", &broken(&[40, 70], "\n> ")[..72]);
    assert_eq!(
        RoomId::find(&text),
        Err(FindLinkError::Incomplete { missing: 20 })
    );
    let said = RoomId::find(&link[..80]).unwrap_err().to_string();
    assert_eq!(
        said,
        "the link to the poll is incomplete: 9 of its 89 characters are missing"
    );
}

#[test]
fn what_was_changed_is_damaged() {
    for text in [
        // One character too many, one of another alphabet, and the last of an owner that no bytes
        // have.
        format!("{}b/{POLL}", OWNER.replace('q', "b")),
        format!("{OWNER}/{}", POLL.replace("89ab", "89gb")),
        format!("{OWNER}/{}", POLL.replace("89ab", "89abc")),
        format!("{OWNER}/{}", POLL.replace("89ab", "89ab-")),
        format!("{}b/{POLL}", &OWNER[..51]),
    ] {
        assert_eq!(RoomId::find(&text), Err(FindLinkError::Damaged), "{text:?}");
    }
}

#[test]
fn other_texts_have_no_link() {
    for text in [
        "",
        "#/",
        "what?",
        "https://example.org/",
        "https://example.org/a/01234567-89ab-4cde-8f01-23456789abcd",
        "https://example.org/documents/01234567-89ab-4cde-8f01-23456789abcd?x=%2F",
        "01234567-89ab-4cde-8f01-23456789abcd",
        "internationalization/localization",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "https://example.org/01abcdefghijklmnopqrstuvwxyzab",
        // Words do not make an owner together.
        "please look at this page and then answer there with a yes or an a/01234567-89ab-4cde-8f01-23456789abcd",
        "%",
        "%%2",
        "%2",
        "% 2",
        "=",
        "> >",
        "/",
    ] {
        assert_eq!(RoomId::find(text), Err(FindLinkError::Nothing), "{text:?}");
    }
}

/// As much as somebody can paste, made so that one piece looks like the beginning of the next.
#[test]
fn megabytes_are_read_in_linear_work() {
    let link = room().to_string();
    for piece in [
        "/",
        "%25",
        "a ",
        &OWNER[..51],
        " \u{200b}",
        "a/",
        "0123/",
        "%2",
        "=\n> ",
        &link[..88],
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        assert!(RoomId::find(&text).is_err());
        assert_eq!(
            RoomId::find(&format!("{text}: {link}")),
            Ok(room()),
            "{piece}"
        );
    }
}

prop_compose! {
    fn any_room()(owner: [u8; 32], poll: [u8; 16]) -> RoomId {
        RoomId {
            owner: PeerId::from_bytes(owner),
            poll_id: PollId::from_uuid(uuid::Uuid::from_bytes(poll)),
        }
    }
}

proptest! {
    #[test]
    fn a_link_in_anything_is_found(room in any_room(), before: String, behind: String) {
        prop_assert_eq!(RoomId::find(&format!("{before}{room}{behind}")), Ok(room));
    }

    #[test]
    fn a_broken_link_between_others_is_found(
        room in any_room(),
        before in "[ -~\n]{0,40}[ #/:(\n]",
        behind in "([ ,.)\n?&][ -~\n]{0,40})?",
        at in proptest::collection::btree_set(1..89_usize, 0..=4),
        by in "(=?\r?\n|[ ])(> ){0,2}",
    ) {
        let mut link = room.to_string();
        for &at in at.iter().rev() {
            link.insert_str(at, &by);
        }
        prop_assert_eq!(RoomId::find(&format!("{before}{link}{behind}")), Ok(room));
    }

    #[test]
    fn whatever_is_found_stands_there(text in "[a-h2-7/ %-]{0,300}") {
        if let Ok(room) = RoomId::find(&text) {
            let plain: String = text.split_whitespace().collect();
            prop_assert!(plain.contains(&room.owner.to_string()));
        }
    }
}
