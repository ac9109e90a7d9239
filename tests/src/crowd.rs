//! Clients that push one record after the other, and remember what was acknowledged.

use crate::Lab;
use client::{ClientError, Record, Wallet};
use seal::RecoveryCode;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Clients at work, each on a wallet of its own.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Pushed>>,
}

/// What one client knows at the end.
pub struct Pushed {
    /// Its wallet.
    pub wallet: Wallet,
    /// The code that recovers it.
    pub code: RecoveryCode,
    /// Bodies by record name, of every push that was acknowledged; of a record that was pushed more than
    /// once, the last.
    pub records: BTreeMap<String, Vec<u8>>,
    /// How many pushes were acknowledged.
    pub pushes: u64,
    /// The number of the head when all was acknowledged.
    pub seq: u64,
    /// The head's number before the first of these pushes.
    pub seq_before: u64,
    /// The longest time between two acknowledgements.
    pub longest: Duration,
}

impl Crowd {
    /// Starts `count` clients. Each pushes a record of `size` bytes, waits for the acknowledgement,
    /// and pushes the next.
    pub async fn start(lab: &Lab, count: usize, size: usize) -> Crowd {
        Crowd::start_with(lab, count, size, u32::MAX).await
    }

    /// The same over `records` records of each client again and again: a push costs time in proportion to
    /// the records of its wallet, so only clients of this kind are as fast at the end as at the beginning.
    pub async fn start_with(lab: &Lab, count: usize, size: usize, records: u32) -> Crowd {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut clients = Vec::new();
        for client in 0..count {
            let (wallet, code) = lab.wallet(&format!("client {client}")).await;
            let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
            clients.push(tokio::spawn(work(wallet, code, (size, records), stop, acknowledged)));
        }
        Crowd { stop, acknowledged, clients }
    }

    /// Pushes acknowledged to all clients so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `more` further pushes are acknowledged.
    pub async fn progress(&self, more: u64) {
        let goal = self.acknowledged() + more;
        crate::lab::until("pushes go on", crate::lab::PATIENCE, async || {
            (self.acknowledged() >= goal).then_some(())
        })
        .await;
    }

    /// Lets every client finish the push that it is in.
    pub async fn finish(self) -> Vec<Pushed> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.push(client.await.expect("a client that does not panic"));
        }
        all
    }
}

async fn work(
    mut wallet: Wallet,
    code: RecoveryCode,
    (size, names): (usize, u32),
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) -> Pushed {
    let seq_before = wallet.summary().expect("a summary").seq;
    let mut records = BTreeMap::new();
    let mut seq = seq_before;
    let mut last = Instant::now();
    let mut longest = Duration::ZERO;
    let mut pushes = 0;
    for number in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("record {}", number % names);
        let body = number.to_be_bytes().repeat(size.div_ceil(4));
        wallet.put(Record::new("opaque", &name, body.clone())).expect("a record");
        seq = push(&mut wallet).await;
        records.insert(name, body);
        pushes += 1;
        acknowledged.fetch_add(1, Ordering::Relaxed);
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    Pushed { wallet, code, records, pushes, seq, seq_before, longest }
}

/// Pushes until it is acknowledged. Only unavailability may be answered by another call, which sends
/// the same request.
async fn push(wallet: &mut Wallet) -> u64 {
    loop {
        match wallet.push().await {
            Ok(report) => return report.seq,
            Err(ClientError::Unavailable(_)) => {}
            Err(error) => panic!("a push was answered: {error}"),
        }
    }
}

impl Pushed {
    /// Shows on a new device that every acknowledged record is there, byte for byte, and that each
    /// was applied once: the head's number rose by one for each.
    pub async fn verify(&self, lab: &Lab) {
        self.verify_at(lab, &lab.cluster.endpoints()).await;
    }

    /// The same, with a device that knows these nodes only.
    pub async fn verify_at(&self, lab: &Lab, endpoints: &[String]) {
        assert_eq!(
            self.seq - self.seq_before,
            self.pushes,
            "every acknowledged push moved the head by one, none by two"
        );
        let fresh = lab.device_at(&self.code, "verifier", endpoints).await;
        for (name, body) in &self.records {
            let record = fresh
                .get(name)
                .unwrap_or_else(|error| panic!("acknowledged {name:?} is lost: {error}"));
            assert_eq!(record.body.as_slice(), body.as_slice(), "{name:?}");
        }
    }
}
