#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

type Heads_ = BTreeMap<RecordId, (u64, Record)>;

/// Before and after, as maps.
struct Maps<'a> {
    before: &'a Heads_,
    after: &'a Heads_,
}

fn at_head(map: &Heads_, id: &RecordId) -> Option<AtHead> {
    map.get(id).map(|(version, record)| AtHead { version: *version, record: Some(record.clone()) })
}

impl Heads for Maps<'_> {
    fn before(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
        Ok(at_head(self.before, id))
    }

    fn after(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
        Ok(at_head(self.after, id))
    }

    fn holds(&self, id: &RecordId) -> bool {
        self.after.contains_key(id)
    }

    fn named(&self, name: &str) -> Result<Vec<RecordId>, LocalError> {
        Ok(self
            .after
            .iter()
            .filter(|(_, (_, record))| record.name == name)
            .map(|(id, _)| *id)
            .collect())
    }
}

/// A device as a merge sees it: what it last pulled, and what it changed since.
#[derive(Default)]
struct Model {
    base: Heads_,
    works: BTreeMap<RecordId, Work>,
    ids: u8,
    number: u8,
}

impl Model {
    fn effective(&self) -> Heads_ {
        let mut all = self.base.clone();
        for (id, work) in &self.works {
            match &work.change {
                Change::Put(record) => drop(all.insert(*id, (work.base, record.clone()))),
                Change::Delete => drop(all.remove(id)),
            }
        }
        all
    }

    fn find(&self, name: &str) -> Option<(RecordId, Record)> {
        let found = self.effective().into_iter().find(|(_, (_, record))| record.name == name);
        found.map(|(id, (_, record))| (id, record))
    }

    fn put(&mut self, name: &str, body: u32) {
        let mut record = Record::new("k", name, body.to_be_bytes());
        let id = match self.find(name) {
            Some((id, before)) => {
                record.conflicts = before.conflicts;
                id
            }
            None => {
                self.ids += 1;
                RecordId::from_bytes([
                    self.number,
                    self.ids,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ])
            }
        };
        let base = self.base.get(&id).map_or(0, |(version, _)| *version);
        self.works.insert(id, Work { base, change: Change::Put(record) });
    }

    fn delete(&mut self, name: &str) {
        if let Some((id, _)) = self.find(name) {
            match self.base.get(&id) {
                Some((version, _)) => {
                    drop(self.works.insert(id, Work { base: *version, change: Change::Delete }))
                }
                None => drop(self.works.remove(&id)),
            }
        }
    }

    fn pull(&mut self, head: &Heads_) -> MergeReport {
        let maps = Maps { before: &self.base, after: head };
        let (works, report) = merge(std::mem::take(&mut self.works), &maps).unwrap();
        self.works = works;
        self.base = head.clone();
        report
    }

    fn push(&mut self, head: &mut Heads_) {
        self.pull(head);
        for (id, work) in std::mem::take(&mut self.works) {
            let version = head.get(&id).map_or(0, |(version, _)| *version);
            assert_eq!(
                work.base, version,
                "a change is made on the head, or it could not be pushed"
            );
            match work.change {
                Change::Put(record) => drop(head.insert(id, (version + 1, record))),
                Change::Delete => drop(head.remove(&id)),
            }
        }
        self.base = head.clone();
    }
}

/// Every value in these records, set-aside ones included.
fn bodies(records: &Heads_) -> HashSet<Vec<u8>> {
    let mut all = HashSet::new();
    for (_, record) in records.values() {
        all.insert(record.body.to_vec());
        all.extend(
            record.conflicts.iter().filter_map(|conflict| Some(conflict.record()?.body.to_vec())),
        );
    }
    all
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, &'static str),
    Delete(usize, &'static str),
    Pull(usize),
    Push(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let device = 0..2_usize;
    let name = prop::sample::select(vec!["a", "b", "c"]);
    prop_oneof![
        4 => (device.clone(), name.clone()).prop_map(|(device, name)| Step::Put(device, name)),
        2 => (device.clone(), name).prop_map(|(device, name)| Step::Delete(device, name)),
        1 => device.clone().prop_map(Step::Pull),
        2 => device.prop_map(Step::Push),
    ]
}

proptest! {
    /// Two devices, any edits, any interleaving: a value disappears only because a device that saw it
    /// replaced or deleted it; and both devices end with the same records, one for each name.
    #[test]
    fn nothing_is_lost(steps in prop::collection::vec(any_step(), 0..40)) {
        let mut head = Heads_::new();
        let mut devices = [Model { number: 1, ..Model::default() }, Model { number: 2, ..Model::default() }];
        let (mut written, mut ended) = (HashSet::new(), HashSet::new());
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::Put(device, name) => {
                    let device = &mut devices[device];
                    ended.extend(device.find(name).map(|(_, before)| before.body.to_vec()));
                    device.put(name, at as u32);
                    written.insert((at as u32).to_be_bytes().to_vec());
                }
                Step::Delete(device, name) => {
                    let device = &mut devices[device];
                    if let Some((id, record)) = device.find(name) {
                        ended.extend(bodies(&Heads_::from([(id, (0, record))])));
                    }
                    device.delete(name);
                }
                Step::Pull(device) => drop(devices[device].pull(&head)),
                Step::Push(device) => devices[device].push(&mut head),
            }
        }
        for device in [0, 1, 0, 1] {
            devices[device].push(&mut head);
        }
        prop_assert_eq!(devices[0].effective(), devices[1].effective());
        prop_assert!(devices.iter().all(|device| device.works.is_empty()));
        let kept = bodies(&head);
        for body in written.difference(&ended) {
            prop_assert!(kept.contains(body), "value {body:?} is lost");
        }
        let names: Vec<_> = head.values().map(|(_, record)| &record.name).collect();
        let distinct: HashSet<_> = names.iter().collect();
        prop_assert_eq!(names.len(), distinct.len(), "one record for each name");
    }

    /// Merging twice changes nothing more.
    #[test]
    fn merging_is_settled_at_once(steps in prop::collection::vec(any_step(), 0..30)) {
        let mut head = Heads_::new();
        let mut devices = [Model { number: 1, ..Model::default() }, Model { number: 2, ..Model::default() }];
        for (at, step) in steps.iter().enumerate() {
            match *step {
                Step::Put(device, name) => devices[device].put(name, at as u32),
                Step::Delete(device, name) => devices[device].delete(name),
                Step::Pull(device) => drop(devices[device].pull(&head)),
                Step::Push(device) => devices[device].push(&mut head),
            }
        }
        for device in &mut devices {
            device.pull(&head);
            let once = device.works.clone();
            prop_assert_eq!(device.pull(&head), MergeReport::default());
            prop_assert_eq!(&device.works, &once);
        }
    }
}

fn id(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

fn put(base: u64, record: Record) -> Work {
    Work { base, change: Change::Put(record) }
}

#[test]
fn what_does_not_fit_beside_the_heads_value_becomes_a_record_of_its_own() {
    let large = |fill: u8| Record::new("k", "photo", vec![fill; 200_000]);
    let before = Heads_::from([(id(1), (1, large(1)))]);
    let after = Heads_::from([(id(1), (2, large(2)))]);
    let works = BTreeMap::from([(id(1), put(1, large(3)))]);
    let (works, report) = merge(works, &Maps { before: &before, after: &after }).unwrap();
    assert!(report.set_aside.contains("photo"));
    let kept: Vec<_> = works.values().collect();
    let [Work { base: 0, change: Change::Put(apart) }] = kept[..] else { panic!("{kept:?}") };
    assert_eq!((apart.name.as_str(), &apart.body), ("photo (conflict 1)", &large(3).body));
}

#[test]
fn a_value_beside_one_that_cannot_be_read_is_set_apart() {
    struct Newer;
    impl Heads for Newer {
        fn before(&self, _: &RecordId) -> Result<Option<AtHead>, LocalError> {
            Ok(None)
        }
        fn after(&self, id: &RecordId) -> Result<Option<AtHead>, LocalError> {
            Ok(self.holds(id).then_some(AtHead { version: 2, record: None }))
        }
        fn holds(&self, id: &RecordId) -> bool {
            *id == super::tests::id(1)
        }
        fn named(&self, _: &str) -> Result<Vec<RecordId>, LocalError> {
            Ok(Vec::new())
        }
    }
    let works = BTreeMap::from([(id(1), put(1, Record::new("k", "n", vec![1])))]);
    let (works, _) = merge(works, &Newer).unwrap();
    assert!(!works.contains_key(&id(1)), "what cannot be read is not overwritten");
    assert_eq!(works.len(), 1);
}

#[test]
fn conflicts_that_one_side_settled_stay_settled() {
    let conflict = |n: u8| Conflict::whole(n.into(), &Record::new("k", "n", vec![n]));
    let with = |body: u8, conflicts: &[u8]| {
        let mut record = Record::new("k", "n", vec![body]);
        record.conflicts = conflicts.iter().map(|n| conflict(*n)).collect();
        record
    };
    let before = Heads_::from([(id(1), (1, with(0, &[1, 2])))]);
    // The head settled the first and got a third; this device settled the second.
    let after = Heads_::from([(id(1), (2, with(0, &[2, 3])))]);
    let works = BTreeMap::from([(id(1), put(1, with(0, &[1])))]);
    let (works, report) = merge(works, &Maps { before: &before, after: &after }).unwrap();
    assert_eq!(works[&id(1)], put(2, with(0, &[3])));
    assert_eq!(report, MergeReport::default());
}
