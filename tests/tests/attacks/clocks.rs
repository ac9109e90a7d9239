//! Clocks that jump, and machines that stand still.

use client::{ClientError, Record};
use rustix::process::Signal;
use server::cluster::{Cluster, Scratch};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tests::{
    Lab, Plan,
    lab::{self, PATIENCE, until},
    raw,
};

/// Attack 97: a leader that stood still while another was elected shows nothing old when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_stood_still_shows_nothing_old() {
    let mut lab = Plan::of(3).start().await;
    let (mut wallet, code) = lab.wallet("phone").await;
    for round in 0..3 {
        let leader = lab.leader(lab::GROUP).await;
        let own = lab.cluster.endpoints()[leader].clone();
        // A device that knows no other node than the one that will stand still.
        let mut reader =
            lab.device_at(&code, &format!("reader {round}"), std::slice::from_ref(&own)).await;
        reader.pull().await.unwrap_or_else(|error| panic!("pull: {error}"));
        let process = |lab: &mut Lab, signal| {
            lab.cluster.node(leader).unwrap().process().unwrap().signal(signal).unwrap();
        };
        process(&mut lab, Signal::STOP);
        let name = format!("written while it stood still {round}");
        wallet.put(Record::new("opaque", &name, b"new".to_vec())).unwrap();
        until("the others acknowledge", PATIENCE, async || match wallet.push().await {
            Ok(_) => Some(()),
            Err(ClientError::Unavailable(_)) => None,
            Err(error) => panic!("push: {error}"),
        })
        .await;
        // Three times the longest election.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        process(&mut lab, Signal::CONT);
        let stale = lab.device_at(&code, "first reader", &[own]).await;
        assert_eq!(stale.get(&name).unwrap().body.as_slice(), b"new", "an old state was shown");
        reader.pull().await.unwrap_or_else(|error| panic!("pull: {error}"));
        assert_eq!(reader.get(&name).unwrap().body.as_slice(), b"new");
    }
}

/// Where Debian puts libfaketime, for whichever machine.
fn faketime() -> Option<PathBuf> {
    let machines = fs::read_dir("/usr/lib").ok()?.flatten();
    machines.map(|dir| dir.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}

/// What a node takes the time to be, in Unix seconds: a challenge that it gives expires in a minute.
async fn clock_s(lab: &Lab) -> u64 {
    let asked = "POST /v1/challenges HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let answer = raw::say(lab, asked.as_bytes()).await.text;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_else(|| panic!("no body: {answer}"));
    let challenge: serde_json::Value = serde_json::from_str(body).unwrap();
    challenge["expires"].as_u64().unwrap() - 60
}

/// Attack 96: the wall clock of one node jumps by hours and years, back and forth. Nothing acknowledged
/// is lost, nothing is done twice, and whoever may read still may, through the others.
#[tokio::test(flavor = "multi_thread")]
async fn jumps_of_a_wall_clock_lose_nothing() {
    let Some(faketime) = faketime() else {
        return println!("SKIPPED: there is no libfaketime to turn clocks with (Debian: faketime)");
    };
    let scratch = Scratch::new("holdfast-clock").unwrap();
    let offset = scratch.path().join("offset");
    let turn = |by: &str| fs::write(&offset, by).unwrap();
    turn("+0");
    let script = scratch.path().join("holdfast");
    let text = format!(
        "#!/bin/sh\nLD_PRELOAD={} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1 exec {} \"$@\"\n",
        faketime.display(),
        offset.display(),
        lab::binary().display(),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = Plan::of(3).options(scratch.path().join("cluster"));
    options.program = script;
    let cluster = Cluster::start(&options).await.unwrap_or_else(|error| panic!("start: {error}"));
    let lab = Lab::around(cluster, scratch);
    let crowd = tests::crowd::Crowd::start(&lab, 4, 500).await;
    const YEAR_S: i64 = 365 * 86_400;
    for (by, seconds) in [
        ("+1h", 3_600),
        ("-1h", -3_600),
        ("+3650d", 10 * YEAR_S),
        ("-3650d", -10 * YEAR_S),
        ("+1h", 3_600),
        ("+0", 0),
    ] {
        turn(by);
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let turned = system.saturating_add_signed(seconds);
        until("the node's clock is turned", PATIENCE, async || {
            (clock_s(&lab).await.abs_diff(turned) < 600).then_some(())
        })
        .await;
        crowd.progress(20).await;
    }
    for client in crowd.finish().await {
        client.verify(&lab).await;
    }
}
