#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, Semaphore};

use super::Rounds;

/// Whoever comes while a round runs gets the next one's result, together with all who came meanwhile.
#[tokio::test]
async fn late_comers_share_the_next_round() {
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let count = Arc::new(AtomicU64::new(0));
    let rounds = {
        let (begun, gate, count) = (begun.clone(), gate.clone(), count.clone());
        Rounds::<u64, ()>::new((), move || {
            let (begun, gate, count) = (begun.clone(), gate.clone(), count.clone());
            async move {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                begun.notify_one();
                gate.acquire().await.unwrap().forget();
                Ok(number)
            }
        })
    };
    let join = || {
        let rounds = rounds.clone();
        tokio::spawn(async move { rounds.join().await.unwrap() })
    };
    let first = join();
    begun.notified().await;
    let late: Vec<_> = (0..10).map(|_| join()).collect();
    while rounds.waiting() < 10 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1);
    assert_eq!(first.await.unwrap(), 1);
    gate.add_permits(1);
    for late in late {
        assert_eq!(late.await.unwrap(), 2, "never the round that had begun before");
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

/// A round that panics leaves nobody waiting, and the next one starts anew.
#[tokio::test]
async fn a_panic_is_not_for_ever() {
    let count = Arc::new(AtomicU64::new(0));
    let rounds = {
        let count = count.clone();
        Rounds::<u64, &'static str>::new("lost", move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(number > 0, "the first round breaks");
                Ok(number)
            }
        })
    };
    assert_eq!(rounds.join().await, Err("lost"));
    assert_eq!(rounds.join().await, Ok(1));
}
