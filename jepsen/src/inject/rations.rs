//! What the machine gives a node: processor time, memory, files. Processor time and memory by control groups
//! (version 1 or 2), which need root; files by prlimit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Skipped, run};

/// Of how many microseconds a share of the processor is taken.
const PERIOD_US: u64 = 100_000;

/// A control group with a bound, and a process in it. The bound ends, and the group goes, when dropped.
#[derive(Debug)]
pub struct Ration {
    group: PathBuf,
    parent: PathBuf,
}

impl Ration {
    /// So many hundredths of one processor for a process and all its threads.
    ///
    /// # Errors
    /// There are no control groups that this user may make.
    pub fn processor(pid: u32, hundredths: u64) -> Result<Ration, Skipped> {
        let quota = PERIOD_US * hundredths / 100;
        match Version::here()? {
            Version::One => Ration::with(
                Path::new("/sys/fs/cgroup/cpu"),
                pid,
                &[
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ],
            ),
            Version::Two => Ration::with(
                Path::new("/sys/fs/cgroup"),
                pid,
                &[("cpu.max", format!("{quota} {PERIOD_US}"))],
            ),
        }
    }

    /// So many MiB more than the process has now, the pages of files that it reads and writes with them: what
    /// it has stays with the group that it comes from.
    ///
    /// # Errors
    /// As [`Ration::processor`].
    pub fn memory(pid: u32, mib_more: u64) -> Result<Ration, Skipped> {
        let bytes = (mib_more << 20).to_string();
        match Version::here()? {
            Version::One => Ration::with(
                Path::new("/sys/fs/cgroup/memory"),
                pid,
                &[("memory.limit_in_bytes", bytes)],
            ),
            Version::Two => {
                Ration::with(Path::new("/sys/fs/cgroup"), pid, &[("memory.max", bytes)])
            }
        }
    }

    fn with(parent: &Path, pid: u32, bounds: &[(&str, String)]) -> Result<Ration, Skipped> {
        let group = parent.join(format!("holdfast-jepsen-{}-{pid}", std::process::id()));
        let refused = |what: &Path, error| Skipped(format!("{}: {error}", what.display()));
        fs::create_dir(&group).map_err(|error| refused(&group, error))?;
        let ration = Ration { group, parent: parent.to_path_buf() };
        for (name, bound) in bounds {
            let file = ration.group.join(name);
            fs::write(&file, bound).map_err(|error| refused(&file, error))?;
        }
        let processes = ration.group.join("cgroup.procs");
        fs::write(&processes, pid.to_string()).map_err(|error| refused(&processes, error))?;
        Ok(ration)
    }

    /// How often the bound was felt: periods without processor time, or allocations that met the limit.
    pub fn felt(&self) -> u64 {
        let read = |name: &str| fs::read_to_string(self.group.join(name)).unwrap_or_default();
        let field = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            line.unwrap_or(0)
        };
        field(&read("cpu.stat"), "nr_throttled")
            + field(&read("memory.events"), "max")
            + read("memory.failcnt").trim().parse().unwrap_or(0)
    }
}

impl Drop for Ration {
    fn drop(&mut self) {
        let group = self.group.join("cgroup.procs");
        let parent = self.parent.join("cgroup.procs");
        for pid in fs::read_to_string(group).unwrap_or_default().lines() {
            let _ = fs::write(&parent, pid);
        }
        let _ = fs::remove_dir(&self.group);
    }
}

/// Removes groups of a harness that was killed.
pub fn sweep() {
    let parents = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
    let entries = parents.iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let made_by = name.to_str().and_then(|name| name.strip_prefix("holdfast-jepsen-"));
        let made_by = made_by.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if made_by.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

enum Version {
    One,
    Two,
}

impl Version {
    fn here() -> Result<Version, Skipped> {
        if Path::new("/sys/fs/cgroup/cpu/cgroup.procs").exists() {
            return Ok(Version::One);
        }
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control");
        match controllers {
            Ok(names) if names.contains("cpu") && names.contains("memory") => Ok(Version::Two),
            _ => Err(Skipped("there are no control groups for processor and memory".to_owned())),
        }
    }
}

/// Lets a process have so many files open from now on; gives the bound that stood.
///
/// # Errors
/// There is no prlimit, or the process is another user's.
pub fn files(pid: u32, most: u64) -> Result<u64, Skipped> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let before = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let bound = format!("--nofile={most}:");
    run(Command::new("prlimit").args(["--pid", &pid.to_string(), &bound]))?;
    before.ok_or_else(|| Skipped(format!("/proc/{pid}/limits does not say how many files")))
}

/// How many files a process has open.
pub fn open_files(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64)
}
