//! P1, P9: one of exactly two data centres is lost in the middle of pushes; two operators let the other one
//! go on, nothing acknowledged is lost, and the machines that come back are the cluster's again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::process::{Command, Output};

use server::cluster::{admin::OperatorFiles, operator};
use tests::{
    Lab, Plan,
    crowd::Crowd,
    lab::{GROUP, PATIENCE, binary, until},
};

const CENTRES: [(&str, [usize; 2]); 2] = [("a", [0, 1]), ("b", [2, 3])];

async fn two_data_centres() -> Lab {
    Plan::in_dcs(&["a", "a", "b", "b"]).wallet_groups(8).start().await
}

/// `holdfast admin recover` of one operator, at every endpoint.
fn command(lab: &Lab, by: &OperatorFiles, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["--json", "admin", "recover"]).args(arguments);
    command.arg("--endpoints").arg(lab.cluster.endpoints().join(","));
    command.arg("--ca").arg(&by.ca).arg("--cert").arg(&by.cert).arg("--key").arg(&by.key);
    command
}

async fn recover(lab: &Lab, by: &OperatorFiles, arguments: &[&str]) -> (i32, String) {
    let mut command = command(lab, by, arguments);
    let run = tokio::task::spawn_blocking(move || command.output()).await;
    let Output { status, stdout, stderr } = run.unwrap().unwrap();
    let said = [stdout, stderr].concat();
    (status.code().unwrap_or(-1), String::from_utf8(said).unwrap())
}

/// The name of the plan for these survivors, once nobody has heard of the lost ones for long enough.
async fn planned(lab: &Lab, by: &OperatorFiles, surviving: &str) -> String {
    until("there is a plan", PATIENCE, async || {
        let (code, said) = recover(lab, by, &["--surviving", surviving]).await;
        if code != 0 {
            assert!(said.contains("in the last few seconds"), "{said}");
            return None;
        }
        let plan: serde_json::Value = serde_json::from_str(said.lines().next()?).unwrap();
        assert_eq!(plan["approved_by"], serde_json::json!([]));
        assert_eq!(plan["groups"].as_array().unwrap().len(), 10);
        Some(plan["plan"].as_str().unwrap().to_owned())
    })
    .await
}

/// Every group is led by nodes of the survivors alone, and the others are fenced.
async fn goes_on_alone(lab: &Lab, survivors: [usize; 2], lost: [usize; 2]) {
    until("the survivors are the cluster", PATIENCE, async || {
        let status = lab.status(survivors[0]).await?;
        let ids = |of: [usize; 2]| of.map(|node| lab.cluster.nodes()[node].id);
        let fenced =
            |id: u64| status.nodes.iter().any(|node| node.id == id && node.state == "fenced");
        let led = |group: &proto::admin::Group| {
            let voters = group.replicas.iter().filter(|replica| replica.kind == "voter");
            let mut voters: Vec<u64> = voters.map(|voter| voter.node).collect();
            voters.sort_unstable();
            !group.leader.is_empty() && voters == ids(survivors)
        };
        let alone = ids(lost).into_iter().all(fenced) && status.groups.iter().all(led);
        if alone {
            assert!(!status.zero_loss.unwrap().held, "one data centre is left, and it is said");
            assert!(status.repair.contains("recovery without nodes"), "{}", status.repair);
        }
        alone.then_some(())
    })
    .await;
}

/// The machines of the lost data centre run again as other nodes, and the rule holds as before.
async fn whole_again(lab: &mut Lab, survivors: [usize; 2], lost: [usize; 2]) {
    for node in lost {
        lab.restart(node).await;
    }
    let former = lost.map(|node| lab.cluster.nodes()[node].id);
    until("both data centres vote again", PATIENCE, async || {
        let status = lab.status(survivors[0]).await?;
        let voters = |group: &proto::admin::Group| {
            let voters = group.replicas.iter().filter(|replica| replica.kind == "voter");
            voters.count() == 4
                && group.replicas.iter().all(|replica| !former.contains(&replica.node))
        };
        let whole = status.groups.iter().all(voters);
        (whole && status.zero_loss?.held && status.repair.is_empty()).then_some(())
    })
    .await;
    for survivor in survivors {
        until("what was written down is gone", PATIENCE, async || {
            (!lab.data(survivor).join("recovery").exists()).then_some(())
        })
        .await;
    }
}

/// Whichever side is lost, with whatever it led.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_data_centres_is_lost_in_the_middle_of_pushes_and_the_other_goes_on() {
    for leads in [true, false] {
        let mut lab = two_data_centres().await;
        let ann = lab.cluster.operator();
        let ben = operator(lab.cluster.dir(), "ben").unwrap();
        let crowd = Crowd::start(&lab, 6, 500).await;
        crowd.progress(100).await;

        let leader = lab.leader(GROUP).await;
        let is_lost = |nodes: &[usize; 2]| nodes.contains(&leader) == leads;
        let (_, lost) = CENTRES.into_iter().find(|(_, nodes)| is_lost(nodes)).unwrap();
        let (surviving, left) = CENTRES.into_iter().find(|(_, nodes)| !is_lost(nodes)).unwrap();
        for node in lost {
            lab.cluster.kill(node).unwrap();
        }
        let plan = planned(&lab, &ann, surviving).await;
        let approve = ["--surviving", surviving, "--approve", plan.as_str()];
        for _ in 0..2 {
            let (code, said) = recover(&lab, &ann, &approve).await;
            assert!(code == 0 && said.contains(r#""begun":false"#), "one person is one: {said}");
        }
        let before = crowd.acknowledged();
        let (code, said) = recover(&lab, &ben, &approve).await;
        assert!(code == 0 && said.contains(r#""begun":true"#), "{said}");
        goes_on_alone(&lab, left, lost).await;
        crowd.progress(100).await;
        assert!(crowd.acknowledged() >= before + 100);

        whole_again(&mut lab, left, lost).await;
        crowd.progress(50).await;
        for client in crowd.finish().await {
            client.verify(&lab).await;
        }
        lab.equal().await;
    }
}

/// What was begun goes on from wherever it was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_killed_at_any_step_goes_on() {
    let mut lab = two_data_centres().await;
    let ann = lab.cluster.operator();
    let ben = operator(lab.cluster.dir(), "ben").unwrap();
    let crowd = Crowd::start(&lab, 2, 500).await;
    crowd.progress(40).await;
    let (left, lost) = (CENTRES[0].1, CENTRES[1].1);
    for node in lost {
        lab.cluster.kill(node).unwrap();
    }
    let plan = planned(&lab, &ann, "a").await;
    let approve = ["--surviving", "a", "--approve", plan.as_str()];
    let (code, said) = recover(&lab, &ann, &approve).await;
    assert_eq!(code, 0, "{said}");
    let mut second = command(&lab, &ben, &approve);
    let second = tokio::task::spawn_blocking(move || second.output());
    // Written down by the first survivor, then by the second; decided by the first, then by the second.
    let mut undecided = 0;
    for (of, decided) in [(0, false), (1, false), (0, true), (1, true)] {
        let file = lab.data(of).join("recovery");
        undecided = until("the next step is on disk", PATIENCE, async || {
            let length = std::fs::metadata(&file).ok()?.len();
            (!decided || length > undecided).then_some(if decided { undecided } else { length })
        })
        .await;
        for node in left {
            lab.cluster.kill(node).unwrap();
        }
        for node in left {
            lab.cluster.start_node(node).unwrap();
        }
    }
    // It may have lost the node that it asked.
    drop(second.await.unwrap());
    goes_on_alone(&lab, left, lost).await;
    crowd.progress(40).await;
    for client in crowd.finish().await {
        client.verify(&lab).await;
    }
    lab.equal().await;
}

/// What must not be done is refused before anything is.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_not_needed_or_could_lose_something_is_refused() {
    let mut lab = Plan::of(3).start().await;
    let dcs: Vec<String> = lab.cluster.nodes().iter().map(|node| node.plan.dc.clone()).collect();
    let ann = lab.cluster.operator();
    let refused = async |lab: &Lab, surviving: &str, why: &str| {
        until(why, PATIENCE, async || {
            let (code, said) = recover(lab, &ann, &["--surviving", surviving]).await;
            assert_ne!(code, 0, "{said}");
            said.contains(why).then_some(())
        })
        .await;
    };
    refused(&lab, "nowhere", "no node stands in a data centre called nowhere").await;
    refused(&lab, &dcs.join(","), "no data centre would be lost").await;
    refused(&lab, &dcs[0], "answers: its data centre is not lost").await;
    lab.cluster.kill(2).unwrap();
    refused(&lab, &dcs[..2].join(","), "there is nothing to recover").await;
    lab.cluster.kill(1).unwrap();
    refused(&lab, &dcs[0], "they may have acknowledged what nobody else has").await;
    let (code, said) = recover(&lab, &ann, &["--surviving", &dcs[0], "--approve", "12"]).await;
    assert!(code == 2 && said.contains("64 hexadecimal digits"), "{said}");
    assert!(!lab.data(0).join("recovery").exists(), "nothing was written down");
}
