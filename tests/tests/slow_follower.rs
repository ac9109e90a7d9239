//! Attack 49: a follower with too little processor time does not slow the others down. It is measured, so that it has
//! a program of its own: nothing else runs beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use client::Record;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{Lab, Plan, lab};

const ROUNDS: usize = 5;
const PUSHES: usize = 300;

/// It is stopped for nine of every ten slices; the median of the comparisons counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_with_a_tenth_of_a_processor_slows_nobody_down() {
    let mut lab = Plan::of(3).start().await;
    let leader = lab.leader(lab::GROUP).await;
    let slow = (0..3).find(|node| *node != leader).unwrap();
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let before = slowest_but_few(&lab, leader).await;
        let process = lab.cluster.node(slow).unwrap().process().unwrap();
        let pid = Pid::from_raw(i32::try_from(process.pid()).unwrap()).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let slicing = std::thread::spawn({
            let ends = ends.clone();
            move || {
                while !ends.load(Ordering::Relaxed) {
                    kill_process(pid, Signal::STOP).unwrap();
                    std::thread::sleep(Duration::from_millis(18));
                    kill_process(pid, Signal::CONT).unwrap();
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        let during = slowest_but_few(&lab, leader).await;
        ends.store(true, Ordering::Relaxed);
        slicing.join().unwrap();
        println!("99 of 100 pushes take at most {before:?}, and {during:?} beside a slow follower");
        ratios.push(during.as_secs_f64() / before.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[ROUNDS / 2] <= 2.0, "{ratios:?}");
}

/// The 99th percentile of pushes to the leader, over a few records again and again.
async fn slowest_but_few(lab: &Lab, leader: usize) -> Duration {
    let endpoint = lab.cluster.endpoints()[leader].clone();
    let (mut wallet, _) = lab::create(lab.settings_at(&[endpoint]), "phone").await;
    let mut times = Vec::new();
    for number in 0..PUSHES {
        wallet.put(Record::new("opaque", format!("{}", number % 20), vec![7; 500])).unwrap();
        let began = Instant::now();
        wallet.push().await.unwrap_or_else(|error| panic!("push: {error}"));
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
