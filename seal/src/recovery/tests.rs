use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::member_keys::MemberKeys;

fn code(seed: u64) -> RecoveryCode {
    RecoveryCode::generate(&mut StdRng::seed_from_u64(seed))
}

#[test]
fn a_code_is_seven_groups_of_four() {
    let text = code(1).reveal();
    let groups: Vec<_> = text.as_str().split('-').collect();
    assert_eq!(groups.len(), 7);
    assert!(groups.iter().all(|group| group.len() == 4));
}

#[test]
fn case_dashes_blanks_and_look_alikes_are_forgiven() {
    // A seed of which the code has a 0 and a 1.
    let code = (0..).map(code).find(|code| {
        let text = code.reveal();
        text.as_str().contains('0') && text.as_str().contains('1')
    });
    let code = code.unwrap();
    let text = code.reveal();
    for typed in [
        text.as_str().to_lowercase(),
        text.as_str().replace('-', ""),
        text.as_str().replace('-', " \t-\n"),
        text.as_str().replace('0', "o").replace('1', "l"),
        text.as_str().replace('0', "O").replace('1', "I"),
    ] {
        let read = RecoveryCode::parse(&typed).unwrap();
        assert_eq!(read.member_keys().id(), code.member_keys().id(), "{typed}");
    }
}

#[test]
fn errors_say_where() {
    let text = code(1).reveal().as_str().to_owned();
    let error = |text: &str| RecoveryCode::parse(text).map(drop).unwrap_err();
    assert_eq!(error(""), CodeError::Length { found: 0 });
    assert_eq!(error(&text[..33]), CodeError::Length { found: 27 });
    assert_eq!(error(&format!("{text}0")), CodeError::Length { found: 29 });
    let mut bad = text.clone();
    bad.replace_range(5..6, "u");
    assert_eq!(error(&bad), CodeError::Character { position: 5 });
}

#[test]
fn a_code_of_the_other_kind_is_refused() {
    let mut rng = StdRng::seed_from_u64(1);
    let recovery = RecoveryCode::generate(&mut rng).reveal();
    let revoker = RevokerCode::generate(&mut rng).reveal();
    assert_eq!(RevokerCode::parse(recovery.as_str()).map(drop), Err(CodeError::Check));
    assert_eq!(RecoveryCode::parse(revoker.as_str()).map(drop), Err(CodeError::Check));
}

#[test]
fn the_two_kinds_are_the_members_they_say() {
    let mut rng = StdRng::seed_from_u64(1);
    let recovery = RecoveryCode::generate(&mut rng).member_keys();
    assert_eq!(recovery.member().kind(), types::MemberKind::RecoveryCode);
    assert!(recovery.member().seal().is_some());
    let revoker = RevokerCode::generate(&mut rng).member_keys();
    assert_eq!(revoker.member().kind(), types::MemberKind::Revoker);
    assert_eq!(revoker.member().seal(), None);
}

/// Twelve check bits let one wrong character in 4,096 through: of these 868, none.
#[test]
fn a_wrong_character_is_noticed() {
    let text = code(1).reveal().as_str().replace('-', "");
    for at in 0..CHARACTERS {
        for letter in ALPHABET {
            let mut wrong = text.clone();
            wrong.replace_range(at..=at, &char::from(*letter).to_string());
            assert_eq!(RecoveryCode::parse(&wrong).is_ok(), wrong == text, "{at} {letter}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_shown_is_read_back(seed in any::<u64>()) {
        let code = code(seed);
        let read = RecoveryCode::parse(code.reveal().as_str()).unwrap();
        prop_assert_eq!(read.0.expose(), code.0.expose());
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = RecoveryCode::parse(&text);
    }
}
