#![allow(clippy::unwrap_used)]
//! Messages to JSON and back, and what is refused.

use proptest::prelude::*;
use prost::Message;
use proto::v1::{CreateRequest, PullReply, PullRequest, PullStart, pull_reply::Part};
use serde_json::json;

use super::*;
use crate::http::schema;

fn descriptor(name: &str) -> MessageDescriptor {
    schema().unwrap().get_message_by_name(name).unwrap()
}

fn refused(name: &str, value: Value) -> String {
    read(&descriptor(name), &value, &[]).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn a_request_comes_back_as_it_was(
        wallet in proptest::collection::vec(any::<u8>(), 0..40),
        head in proptest::collection::vec(any::<u8>(), 0..40),
        seq in any::<u64>(),
        links in any::<u32>(),
        at_least in any::<bool>(),
    ) {
        let request = PullRequest {
            wallet: wallet.into(), seq, head: head.into(), links, at_least,
        };
        let descriptor = descriptor("holdfast.v1.PullRequest");
        let message = DynamicMessage::decode(descriptor.clone(), &*request.encode_to_vec()).unwrap();
        let again = read(&descriptor, &write(&message), &[]).unwrap();
        prop_assert_eq!(again.transcode_to::<PullRequest>().unwrap(), request);
    }
}

#[test]
fn what_may_be_absent_is_left_out_and_all_else_is_written() {
    let start = PullStart { head: None, unchanged: true, full: false };
    let reply = PullReply { part: Some(Part::Start(start)) };
    let descriptor = descriptor("holdfast.v1.PullReply");
    let message = DynamicMessage::decode(descriptor, &*reply.encode_to_vec()).unwrap();
    assert_eq!(write(&message), json!({"start": {"unchanged": true, "full": false}}));
}

#[test]
fn bytes_are_base64url_in_one_form_only() {
    let read = |text: &str| {
        let value = json!({ "wallet": text });
        read(&descriptor("holdfast.v1.PullRequest"), &value, &[])
            .map(|message| message.transcode_to::<PullRequest>().unwrap().wallet.to_vec())
    };
    assert_eq!(read("-_8").unwrap(), [0xfb, 0xff]);
    assert!(read("").unwrap().is_empty());
    for other in ["+/8", "-_8=", "-_9", "-_8 ", "-", " -_8"] {
        let error = read(other).unwrap_err().to_string();
        assert_eq!(error, "wallet: must be a string in base64url without padding", "{other:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let pull = "holdfast.v1.PullRequest";
    for (value, said) in [
        (json!([]), "the body: must be an object"),
        (json!({"role": 1}), "the body: there is no field \"role\" here"),
        (json!({"Wallet": ""}), "the body: there is no field \"Wallet\" here"),
        (json!({"atLeast": true}), "the body: there is no field \"atLeast\" here"),
        (json!({"seq": -1}), "seq: must be a whole number from 0 on"),
        (json!({"seq": 1.0}), "seq: must be a whole number from 0 on"),
        (json!({"seq": "1"}), "seq: must be a whole number from 0 on"),
        (json!({"links": 1_u64 << 32}), "links: must be a whole number from 0 to 4294967295"),
        (json!({"at_least": 1}), "at_least: must be true or false"),
        (json!({"wallet": null}), "wallet: must be a string in base64url without padding"),
    ] {
        assert_eq!(refused(pull, value), said);
    }
    let deep = json!({"commit": {"links": [{}, {"signatures": ["", 3]}]}});
    assert_eq!(
        refused("holdfast.v1.CreateRequest", deep),
        "commit.links[1].signatures[1]: must be a string in base64url without padding"
    );
    let two = json!({"end": {"leader": ""}, "envelope": ""});
    assert_eq!(
        refused("holdfast.v1.PullReply", two),
        "envelope: only one field of part may be there"
    );
}

#[test]
fn fields_that_stand_elsewhere_are_not_read_from_the_body() {
    let descriptor = descriptor("holdfast.v1.CreateRequest");
    let value = json!({"registration_token": "x"});
    let message = read(&descriptor, &value, &[]).unwrap();
    assert_eq!(message.transcode_to::<CreateRequest>().unwrap().registration_token, "x");
    assert!(read(&descriptor, &value, &["registration_token"]).is_err());
}
