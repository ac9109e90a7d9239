use super::{Found, LeakError, NEEDLE_MAX_BYTES, Needle, READ_BYTES, search, written};
use crate::verdict::Verdict;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const SECRET: &[u8] = b"planted-secret-7c1f~\xff\x00?";

fn secret() -> Vec<Needle> {
    vec![Needle::new("a body", SECRET)]
}

fn control() -> Vec<Needle> {
    vec![Needle::new("a wallet id", *b"wallet-id-in-clear")]
}

/// A directory with a file below it, in which the control stands before `bytes`.
fn planted(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("n1/data/file.log");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, [b"wallet-id-in-clear", bytes].concat()).unwrap();
    (dir, file)
}

fn judged(bytes: &[u8]) -> (Verdict, Vec<Found>) {
    let (dir, _) = planted(bytes);
    let searched = search(&[dir.path().to_owned()], &secret(), &control()).unwrap();
    assert_eq!((searched.files, searched.bytes), (1, 18 + bytes.len() as u64));
    (searched.verdict(), searched.found)
}

#[test]
fn files_without_a_secret_are_accepted() {
    assert_eq!(judged(b"nothing of note").0, Verdict::Pass);
}

#[test]
fn a_secret_is_found_in_every_form_and_at_every_place() {
    let filler = vec![b'.'; READ_BYTES];
    for (form, pattern) in written(SECRET) {
        for place in [0, filler.len() - 25] {
            let (verdict, found) = judged(&[&filler[..place], &pattern, b"..."].concat());
            assert!(matches!(verdict, Verdict::Fail(_)), "{form} at {place}");
            assert_eq!((found[0].form, found[0].offset), (form, 18 + place as u64));
        }
    }
}

#[test]
fn a_secret_inside_a_longer_text_in_base64_is_found_at_every_alignment() {
    use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
    for before in 0..6 {
        let text = [&b"before"[..before], SECRET, b"after"].concat();
        for text in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text)] {
            assert_eq!(judged(text.as_bytes()).1[0].form, "base64", "{before} before");
        }
    }
}

#[test]
fn a_text_is_found_in_utf_16() {
    let needle = vec![Needle::new("a name", "Zoë Planted")];
    let utf16: Vec<u8> = "Zoë Planted".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (dir, _) = planted(&utf16);
    let searched = search(&[dir.path().to_owned()], &needle, &control()).unwrap();
    assert_eq!(searched.found[0].form, "UTF-16");
}

#[test]
fn a_finding_names_the_file_and_not_the_secret() {
    let (dir, file) = planted(SECRET);
    let searched = search(&[dir.path().to_owned()], &secret(), &control()).unwrap();
    let said = format!("a body stands as itself in {} at byte 18", file.display());
    assert_eq!(searched.verdict(), Verdict::Fail(vec![said]));
    assert!(!format!("{searched:?} {:?}", secret()).contains("planted-secret"));
}

#[test]
fn a_control_that_is_not_found_makes_the_search_worth_nothing() {
    let (dir, file) = planted(b"");
    fs::write(&file, b"other").unwrap();
    let searched = search(&[dir.path().to_owned()], &secret(), &control()).unwrap();
    assert_eq!(searched.verdict(), Verdict::unknown("the control a wallet id was not found"));
}

#[test]
fn of_controls_with_one_name_one_is_enough() {
    let (dir, _) = planted(b"");
    let controls =
        [Needle::new("an id", *b"another-id"), Needle::new("an id", *b"wallet-id-in-clear")];
    for (controls, unseen) in [(&controls[..], vec![]), (&controls[..1], vec!["an id".to_owned()])]
    {
        let searched = search(&[dir.path().to_owned()], &secret(), controls).unwrap();
        assert_eq!(searched.unseen, unseen);
    }
}

#[test]
fn what_is_not_there_was_not_searched() {
    let searched = search(&[PathBuf::from("/nowhere/at/all")], &secret(), &[]).unwrap();
    assert_eq!(searched.unread.len(), 1);
    assert!(matches!(searched.verdict(), Verdict::Unknown(reasons) if reasons.len() == 2));
}

#[test]
fn links_are_not_followed() {
    let (dir, file) = planted(SECRET);
    let other = TempDir::new().unwrap();
    std::os::unix::fs::symlink(dir.path(), other.path().join("link")).unwrap();
    std::os::unix::fs::symlink(&file, other.path().join("file")).unwrap();
    let searched = search(&[other.path().to_owned()], &secret(), &[]).unwrap();
    assert_eq!((searched.files, searched.found), (0, Vec::new()));
}

#[test]
fn needles_that_are_found_by_chance_or_never_are_refused() {
    for length in [0, 7, NEEDLE_MAX_BYTES + 1] {
        let needle = vec![Needle::new("it", vec![7; length])];
        assert!(matches!(search(&[], &needle, &[]), Err(LeakError::Length(name)) if name == "it"));
    }
}

/// Needles and controls that share bytes hide nothing of each other.
#[test]
fn needles_inside_and_across_each_other_are_all_found() {
    let needles = ["planted-", "planted-secret-9", "secret-9-and-on", "planted-secret-9"];
    let needles: Vec<_> = needles.iter().map(|text| Needle::new(*text, *text)).collect();
    let (dir, _) = planted(b"planted-secret-9-and-on");
    let control = [Needle::new("before", *b"clearplanted")];
    let searched = search(&[dir.path().to_owned()], &needles, &control).unwrap();
    let mut found: Vec<_> = searched.found.iter().map(|found| found.needle.as_str()).collect();
    found.dedup();
    assert_eq!(found, ["planted-", "planted-secret-9", "secret-9-and-on"]);
    assert_eq!(searched.unseen, Vec::<String>::new());
}
