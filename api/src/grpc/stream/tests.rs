#![allow(clippy::unwrap_used)]
use futures::StreamExt;

use super::*;
use crate::vault::Code;

fn stream(stall: Duration) -> (Sender<u32>, Frames<u32>) {
    channel(&Limits { stall_max: stall, ..Limits::default() })
}

fn code(status: &Status) -> String {
    proto::convert::detail_of(status).unwrap().code
}

#[tokio::test]
async fn frames_come_in_order_and_a_whole_stream_ends_without_a_reason() {
    let (sender, frames) = stream(Duration::from_secs(5));
    let filling = tokio::spawn(async move {
        let work = async {
            for frame in 0..10 {
                sender.send(frame, None).await?;
            }
            Ok(())
        };
        sender.end_by(None, work).await;
    });
    let taken: Vec<_> = frames.map(Result::unwrap).collect().await;
    assert_eq!(taken, (0..10).collect::<Vec<_>>());
    filling.await.unwrap();
}

#[tokio::test]
async fn an_error_comes_behind_the_frames_before_it() {
    let (sender, mut frames) = stream(Duration::from_secs(5));
    let work = async {
        sender.send(1, None).await?;
        Err(VaultError::Locked.into())
    };
    sender.end_by(None, work).await;
    drop(sender);
    assert_eq!(frames.next().await.unwrap().unwrap(), 1);
    assert_eq!(code(&frames.next().await.unwrap().unwrap_err()), Code::Locked.name());
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_told_so_when_it_does() {
    let (sender, mut frames) = stream(Duration::from_millis(10));
    let work = async {
        loop {
            sender.send(1, None).await?;
        }
    };
    sender.end_by(None, work).await;
    drop(sender);
    for _ in 0..READY {
        assert_eq!(frames.next().await.unwrap().unwrap(), 1);
    }
    assert_eq!(code(&frames.next().await.unwrap().unwrap_err()), Code::Deadline.name());
}

#[tokio::test]
async fn a_stream_ends_by_its_deadline_and_with_its_reader() {
    let (sender, mut frames) = stream(Duration::from_secs(5));
    sender.end_by(Some(Instant::now()), std::future::pending()).await;
    drop(sender);
    assert_eq!(code(&frames.next().await.unwrap().unwrap_err()), Code::Deadline.name());

    let (sender, frames) = stream(Duration::from_secs(5));
    drop(frames);
    sender.end_by(None, std::future::pending()).await;
}

#[tokio::test]
async fn what_nobody_takes_is_thrown_away() {
    let (sender, mut frames) = stream(Duration::from_millis(50));
    for frame in 0..2 {
        sender.send(frame, None).await.unwrap_or_else(|_| panic!("there is room"));
    }
    sender.taken(None).await;
    let ended = frames.next().await.unwrap().unwrap_err();
    assert_eq!(code(&ended), Code::Deadline.name(), "and is not shown later");
    assert!(frames.next().await.is_none());
}

#[tokio::test]
async fn what_somebody_takes_late_is_whole() {
    let (sender, frames) = stream(Duration::from_secs(5));
    for frame in 0..2 {
        sender.send(frame, None).await.unwrap_or_else(|_| panic!("there is room"));
    }
    let waiting = tokio::spawn(sender.taken(None));
    let taken: Vec<_> = frames.map(Result::unwrap).collect().await;
    assert_eq!(taken, [0, 1]);
    waiting.await.unwrap();
}
