//! What is read is what `serde_json` and postcard read, for the messages of the golden files.

use std::{fmt::Debug, fs, path::Path};

use serde::de::DeserializeOwned;
use tallyboard_shared::{
    message::{ServerMessage, Status},
    results::Results,
    timeline::Timeline,
};

use super::{Bytes, Input, Unreadable, from_binary_frame, from_json, from_text_frame};

/// The JSON of a golden file.
fn golden(name: &str) -> String {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/snapshots");
    let file = fs::read_to_string(snapshots.join(format!("wire_format__{name}.snap"))).unwrap();
    // Behind the head, which insta puts between two lines of dashes.
    file.splitn(3, "---").nth(2).unwrap().to_owned()
}

fn messages() -> Vec<ServerMessage> {
    let names = [
        "welcome",
        "welcome_before_the_first_publication",
        "update",
        "update_with_regions_and_groups",
        "status",
        "status_stale",
        "goodbye",
    ];
    let read = |name| {
        let json = golden(name);
        let message = serde_json::from_str(&json).unwrap();
        assert_eq!(from_text_frame(&json).as_ref(), Some(&message), "{name}");
        message
    };
    names.map(read).into()
}

#[test]
fn a_frame_is_read_as_postcard_reads_it_and_none_that_is_cut() {
    for message in messages() {
        let frame = message.to_binary();
        assert_eq!(from_binary_frame(&frame), Ok(Some(message)));
        for cut in 2..frame.len() {
            assert_eq!(from_binary_frame(&frame[..cut]), Ok(None));
        }
        assert_eq!(from_binary_frame(&[&frame[..], &[0]].concat()), Ok(None));
    }
}

#[test]
fn whatever_bytes_come_are_read_as_postcard_reads_them() {
    for message in messages() {
        let frame = message.to_binary();
        for position in 1..frame.len() {
            for byte in [0, 1, 2, 0x7f, 0x80, 0xff] {
                let mut spoilt = frame.clone();
                spoilt[position] = byte;
                let expected = ServerMessage::from_binary(&spoilt).ok();
                assert_eq!(from_binary_frame(&spoilt), Ok(expected), "{byte} at {position} of {frame:?}");
            }
        }
    }
}

#[test]
fn a_frame_of_another_build_is_told_from_rubbish() {
    assert_eq!(from_binary_frame(&[2, 0]), Err(Unreadable));
    assert_eq!(from_binary_frame(&[]), Err(Unreadable));
    assert_eq!(from_binary_frame(&[1]), Ok(None));
    assert_eq!(from_binary_frame(&[1, 9, 9]), Ok(None));
}

#[test]
fn answers_are_read_as_serde_json_reads_them() {
    #[track_caller]
    fn check<T: DeserializeOwned + PartialEq + Debug>(name: &str) {
        let json = golden(name);
        assert_eq!(from_json::<T>(&json), Some(serde_json::from_str(&json).unwrap()), "{name}");
    }
    check::<Results>("results");
    check::<Timeline>("timeline");
}

#[test]
fn fields_that_are_not_known_are_passed_over_and_those_that_lack_are_missed() {
    let status = golden("status");
    let more = status.replacen('{', r#"{"weather":[{"sun":1.5}],"#, 1);
    assert_eq!(from_text_frame(&more), from_text_frame(&status));
    assert!(from_text_frame(&more).is_some());
    let without_version = status.replace("version", "edition");
    assert!(matches!(
        from_text_frame(&without_version),
        Some(ServerMessage::Status(Status { version: None, .. }))
    ));
    for (what, instead) in [("state", "mood"), ("catching_up", "catching_fire"), ("status", "weather")] {
        let wrong = status.replace(what, instead);
        assert_ne!(wrong, status);
        assert_eq!(from_text_frame(&wrong), None, "{wrong}");
    }
    assert_eq!(from_text_frame("[]"), None);
    assert_eq!(from_text_frame("{"), None);
}

#[test]
fn numbers_are_read_to_their_bounds() {
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        T::deserialize(Input::Binary(&mut Bytes(bytes))).ok()
    }
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(read::<u64>(&most), Some(u64::MAX));
    assert_eq!(read::<i64>(&most), Some(i64::MIN));
    assert_eq!(read::<u16>(&most), None);
    let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
    assert_eq!(read::<u64>(&beyond), None);
    assert_eq!(read::<u64>(&[0x80; 11]), None);
    assert_eq!(read::<(i64, f64)>(&[1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), Some((-1, 1.0)));
    assert_eq!(read::<bool>(&[2]), None);
    assert_eq!(from_json::<i64>("-5"), Some(-5));
    assert_eq!(from_json::<u64>("-5"), None);
}
