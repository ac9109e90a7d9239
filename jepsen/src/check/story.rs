//! Short histories for tests of checkers: one wallet, one event after the other.

use crate::{
    history::{Event, History, Nemesis, Process, Type},
    verdict::Verdict,
};
use serde_json::Value;

/// A history of one workload's wallet `<workload>-1` that grows.
pub(super) struct Story {
    workload: &'static str,
    events: Vec<Event>,
    time: u64,
}

impl Story {
    pub(super) fn of(workload: &'static str) -> Story {
        Story { workload, events: Vec::new(), time: 0 }
    }

    /// A process number that was not used yet.
    pub(super) fn fresh(&self) -> u64 {
        1_000 + self.events.len() as u64
    }

    /// Lets time go by.
    pub(super) fn later(&mut self, ns: u64) -> &mut Story {
        self.time += ns;
        self
    }

    pub(super) fn begin(&mut self, process: u64, op: &str, value: impl Into<Value>) -> &mut Story {
        self.push(Process::Client(process), Type::Invoke, op, value.into(), Value::Null)
    }

    pub(super) fn begin_cas(
        &mut self,
        process: u64,
        old: impl Into<Value>,
        value: impl Into<Value>,
    ) -> &mut Story {
        self.push(Process::Client(process), Type::Invoke, "cas", value.into(), old.into())
    }

    /// Ends what the process began last.
    pub(super) fn end(&mut self, process: u64, kind: Type, value: impl Into<Value>) -> &mut Story {
        let process = Process::Client(process);
        let began = self.events.iter().rfind(|event| event.process == process).unwrap();
        let (op, old) = (began.op.clone(), began.old.clone());
        self.push(process, kind, &op, value.into(), old)
    }

    /// Begins and ends well.
    pub(super) fn ok(
        &mut self,
        process: u64,
        op: &str,
        asked: impl Into<Value>,
        answer: impl Into<Value>,
    ) -> &mut Story {
        self.begin(process, op, asked).end(process, Type::Ok, answer)
    }

    pub(super) fn cas(
        &mut self,
        process: u64,
        old: impl Into<Value>,
        value: impl Into<Value> + Clone,
    ) -> &mut Story {
        self.begin_cas(process, old, value.clone()).end(process, Type::Ok, value)
    }

    /// What comes without being asked for.
    pub(super) fn notice(&mut self, process: u64, op: &str, value: impl Into<Value>) -> &mut Story {
        self.push(Process::Client(process), Type::Ok, op, value.into(), Value::Null)
    }

    pub(super) fn nemesis(&mut self, op: &str, value: impl Into<Value>) -> &mut Story {
        let process = Process::Nemesis(Nemesis::Nemesis);
        self.push(process, Type::Info, op, value.into(), Value::Null)
    }

    /// Tells an event of another story.
    pub(super) fn tell(&mut self, event: &Event) {
        self.time = self.time.max(event.time);
        self.events.push(Event { time: self.time, ..event.clone() });
    }

    pub(super) fn history(&self) -> History {
        History::from_events(self.events.clone()).unwrap()
    }

    fn push(
        &mut self,
        process: Process,
        kind: Type,
        op: &str,
        value: Value,
        old: Value,
    ) -> &mut Story {
        self.time += 1_000;
        let client = matches!(process, Process::Client(_));
        let workload = if client { self.workload } else { "nemesis" };
        self.events.push(Event {
            process,
            kind,
            workload: workload.to_owned(),
            op: op.to_owned(),
            key: if client { format!("{workload}-1") } else { String::new() },
            value,
            old,
            time: self.time,
            error: String::new(),
        });
        self
    }
}

/// Whether a verdict is a failure with exactly these rules: the words after the key, up to the colon.
#[track_caller]
pub(super) fn refused(verdict: &Verdict, rules: &[&str]) {
    let Verdict::Fail(reasons) = verdict else { panic!("not refused: {verdict:?}") };
    let named: Vec<&str> =
        reasons.iter().map(|reason| reason.split(": ").nth(1).unwrap_or_default()).collect();
    assert_eq!(named, rules, "{reasons:#?}");
}

#[track_caller]
pub(super) fn unknown(verdict: &Verdict, word: &str) {
    let Verdict::Unknown(reasons) = verdict else { panic!("not unknown: {verdict:?}") };
    assert!(reasons.iter().any(|reason| reason.contains(word)), "{reasons:#?}");
}
