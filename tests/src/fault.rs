//! Disks that fail, are full, or are slow, under nodes that run: by strace and small file systems. Where
//! the system does not allow it, the test says so and is skipped.

#![allow(clippy::print_stderr, reason = "a test that cannot run here says why")]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// strace on a running process, which injects something into its system calls. Ends when dropped.
pub struct Injected(Child);

impl Injected {
    /// Attaches to every thread of a process. None, with the reason printed, where that is not possible.
    pub fn into(pid: u32, calls: &str, what: &str) -> Option<Injected> {
        let spawned = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{what}"), "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return skipped(&format!("strace cannot be started: {error}")),
        };
        // It says one line once it holds the process, or why it cannot.
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take()?);
        let read = lines.read_line(&mut said);
        if read.is_err() || !said.contains("attached") {
            let _ = child.kill();
            let _ = child.wait();
            return skipped(&format!("strace cannot attach: {}", said.trim()));
        }
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.lines().for_each(drop));
        Some(Injected(child))
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // SIGTERM, so that it lets go of the process; SIGKILL would leave its threads stopped.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.0.wait();
    }
}

/// A small file system of its own. Gone when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many MiB at a new directory. None, with the reason printed, where that needs
    /// rights that this user has not.
    pub fn mount(at: &Path, mib: u32) -> Option<SmallDisk> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "holdfast-test"])
            .arg(at)
            .output();
        match mounted {
            Ok(done) if done.status.success() => Some(SmallDisk(at.to_path_buf())),
            Ok(done) => skipped(&format!(
                "a small disk cannot be mounted: {}",
                String::from_utf8_lossy(&done.stderr).trim()
            )),
            Err(error) => skipped(&format!("mount cannot be started: {error}")),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes so many MiB.
    pub fn fill(&self, mib: usize) {
        std::fs::write(self.ballast(), vec![7; mib << 20]).unwrap();
    }

    /// Takes everything that is left.
    pub fn fill_up(&self) {
        use std::io::Write;
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// Gives back what was taken.
    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node on it may be on its way out.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// An ext4 of its own that can lose power: then everything that was not synced is gone. Gone when dropped.
pub struct LossyDisk {
    image: PathBuf,
    at: PathBuf,
}

impl LossyDisk {
    /// Makes one of so many MiB at a new directory. None, with the reason printed, where that needs
    /// rights or tools that are not there.
    pub fn mount(at: &Path, mib: u64) -> Option<LossyDisk> {
        std::fs::create_dir_all(at).unwrap();
        let disk = LossyDisk { image: at.with_extension("image"), at: at.to_path_buf() };
        std::fs::File::create(&disk.image).unwrap().set_len(mib << 20).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image).status();
        if !made.is_ok_and(|status| status.success()) {
            return skipped("mkfs.ext4 does not work here");
        }
        disk.try_mount().map_or_else(|reason| skipped(&reason), |()| Some(disk))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Everything that was not synced is gone, and every call fails from here on.
    pub fn lose_power(&self) {
        // EXT4_IOC_SHUTDOWN with NOLOGFLUSH: not even the journal is written.
        let script = "import fcntl,os,struct,sys\n\
                      fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
        let done = Command::new("python3").args(["-c", script]).arg(&self.at).status().unwrap();
        assert!(done.success(), "the power stays on");
    }

    /// After every process on it has ended: what was synced is there again.
    pub fn mount_again(&self) {
        let unmounted = Command::new("umount").arg(&self.at).status().unwrap();
        assert!(unmounted.success(), "a process still uses the disk");
        self.try_mount().unwrap_or_else(|reason| panic!("{reason}"));
    }

    fn try_mount(&self) -> Result<(), String> {
        let mounted =
            Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at).output();
        match mounted {
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => Err(format!(
                "an image cannot be mounted: {}",
                String::from_utf8_lossy(&done.stderr).trim()
            )),
            Err(error) => Err(format!("mount cannot be started: {error}")),
        }
    }
}

impl Drop for LossyDisk {
    fn drop(&mut self) {
        // Lazily: the node on it may be on its way out.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn skipped<T>(reason: &str) -> Option<T> {
    eprintln!("SKIPPED: {reason}");
    None
}
