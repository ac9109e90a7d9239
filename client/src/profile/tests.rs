#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn settings() -> Settings {
    Settings { endpoints: vec!["https://127.0.0.1:7000".to_owned()], ca_pem: "PEM".to_owned() }
}

#[test]
fn everything_in_it_is_for_its_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a/profile");
    let profile = Profile::open(&dir).unwrap();
    profile.write_settings(&settings()).unwrap();
    profile.write_keys(b"keys").unwrap();
    profile.copy().unwrap();
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(profile.settings().unwrap(), settings());
    assert_eq!(profile.keys().unwrap().unwrap().expose(), b"keys");
}

#[test]
fn what_others_could_read_is_refused_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let profile = Profile::open(&dir).unwrap();
    profile.write_settings(&settings()).unwrap();
    profile.write_keys(b"keys").unwrap();
    for open in [0o640, 0o604, 0o620] {
        chmod(&profile.path(KEYS), open);
        let error = profile.keys().unwrap_err();
        assert!(error.to_string().contains("run `chmod 0600 "), "{error}");
        assert_eq!(error.class(), Class::Usage);
    }
    chmod(&profile.path(KEYS), 0o400);
    profile.keys().unwrap();
    drop(profile);
    for open in [0o750, 0o701, 0o777] {
        chmod(&dir, open);
        let error = Profile::open(&dir).unwrap_err();
        assert!(error.to_string().contains("run `chmod 0700 "), "{error}");
    }
}

#[test]
fn one_process_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let profile = Profile::open(&dir).unwrap();
    let error = Profile::open(&dir).unwrap_err();
    assert!(matches!(error, ProfileError::Busy(_)), "{error}");
    assert_eq!(error.class(), Class::Unavailable);
    drop(profile);
    Profile::open(&dir).unwrap();
}

#[test]
fn what_is_not_there_is_not_made_by_looking() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("nothing");
    assert!(matches!(Profile::existing(&dir), Err(ProfileError::Empty(_))));
    assert!(!dir.exists());
    let profile = Profile::open(&dir).unwrap();
    assert!(matches!(profile.settings(), Err(ProfileError::Empty(_))));
    assert!(profile.keys().unwrap().is_none());
}

#[test]
fn damaged_and_newer_settings_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let profile = Profile::open(&dir).unwrap();
    for (text, expected) in [
        (&b"not json"[..], "is not a profile in JSON"),
        (br#"{"format": 2, "endpoints": [], "ca_pem": ""}"#, "newer version"),
    ] {
        profile.write(SETTINGS, text).unwrap();
        let error = profile.settings().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    profile.write(SETTINGS, &vec![b' '; 2 << 20]).unwrap();
    assert!(profile.settings().unwrap_err().to_string().contains("longer than"));
}
