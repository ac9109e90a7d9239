//! Disks of a node's own: one that can lose power, and one that is small. Both need root.

use rustix::fs::{FallocateFlags, fallocate};
use std::{
    fs,
    io::Write,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Skipped, cannot_start, run};

/// How the names of images end.
const IMAGE: &str = "image";

/// Whether a file is the image of a disk: large, and mostly empty.
pub fn is_image(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == IMAGE)
}

/// An ext4 in a file, mounted by a loop device. It can lose power: then everything that was not synced is
/// gone. Unmounted when dropped.
#[derive(Debug)]
pub struct LossyDisk {
    image: PathBuf,
    at: PathBuf,
}

impl LossyDisk {
    /// Makes one of so many MiB at a directory.
    ///
    /// # Errors
    /// It needs rights or tools that are not there.
    pub fn mount(at: &Path, mib: u64) -> Result<LossyDisk, Skipped> {
        let image = at.with_extension(IMAGE);
        let made = fs::create_dir_all(at)
            .and_then(|()| fs::File::create(&image))
            .and_then(|file| file.set_len(mib << 20));
        made.map_err(|error| Skipped(format!("{}: {error}", image.display())))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let disk = LossyDisk { image, at: at.to_path_buf() };
        disk.mount_again()?;
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Everything that was not synced is gone, and every call fails from here on.
    ///
    /// # Errors
    /// The kernel refuses: the power stays on.
    pub fn lose_power(&self) -> Result<(), Skipped> {
        let refused = |error: &dyn std::fmt::Display| {
            Skipped(format!("the power of {} stays on: {error}", self.at.display()))
        };
        let directory = fs::File::open(&self.at).map_err(|error| refused(&error))?;
        shutdown::without_log_flush(directory.as_fd()).map_err(|error| refused(&error))
    }

    /// Gives power back, after every process on it has ended: what was synced is there again.
    ///
    /// # Errors
    /// A process still uses it, or the file system cannot be mounted.
    pub fn power_up(&self) -> Result<(), Skipped> {
        run(Command::new("umount").arg(&self.at))?;
        self.mount_again()
    }

    /// By a loop device of its own: whoever made a mount namespace meanwhile still holds the file system that
    /// lost its power, and `mount -o loop` would find that one again.
    fn mount_again(&self) -> Result<(), Skipped> {
        let mut losetup = Command::new("losetup");
        let made = losetup.args(["--find", "--show"]).arg(&self.image).output();
        let made = made.map_err(|error| cannot_start("losetup", &error))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(Skipped(format!("losetup: {}", said.trim())));
        }
        let device = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let mounted = run(Command::new("mount").arg(&device).arg(&self.at));
        // The device goes when nothing is mounted from it any more.
        let detached = run(Command::new("losetup").args(["--detach", &device]));
        mounted.and(detached)
    }
}

impl Drop for LossyDisk {
    fn drop(&mut self) {
        // Lazily: the node on it may be on its way out.
        let _ = run(Command::new("umount").arg("-l").arg(&self.at));
    }
}

/// A file system in memory of so many MiB. Gone when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at a directory.
    ///
    /// # Errors
    /// It needs rights that this user has not.
    pub fn mount(at: &Path, mib: u32) -> Result<SmallDisk, Skipped> {
        fs::create_dir_all(at).map_err(|error| Skipped(format!("{}: {error}", at.display())))?;
        let size = format!("size={mib}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "holdfast-test"]).arg(at))?;
        Ok(SmallDisk(at.to_path_buf()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Everything that fills it beside the node.
    pub fn ballast(&self) -> Ballast {
        Ballast::on(&self.0)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

/// A file that takes the room of a disk.
#[derive(Debug)]
pub struct Ballast(PathBuf);

impl Ballast {
    /// The one of this disk.
    pub fn on(disk: &Path) -> Ballast {
        Ballast(disk.join("ballast"))
    }

    /// Takes so many MiB.
    ///
    /// # Errors
    /// There is less room.
    pub fn fill(&self, mib: usize) -> std::io::Result<()> {
        fs::write(&self.0, vec![7; mib << 20])
    }

    /// Takes everything that is left, and says how many bytes that was.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn fill_up(&self) -> std::io::Result<u64> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.0)?;
        let mut taken = file.metadata()?.len();
        // Reserved, not written: that is as good as gone, and takes no time.
        let mut piece: u64 = 1 << 30;
        while piece >= 1 << 12 {
            match fallocate(&file, FallocateFlags::empty(), taken, piece) {
                Ok(()) => taken += piece,
                Err(_) => piece /= 2,
            }
        }
        while file.write_all(&[7; 1 << 12]).is_ok() {}
        Ok(file.metadata()?.len())
    }

    /// Gives everything back.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn free(&self) -> std::io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// The one call of this crate that the type system cannot check.
mod shutdown {
    #![allow(unsafe_code, reason = "an ioctl without a safe wrapper; see below")]

    use rustix::ioctl::{Setter, ioctl, opcode};
    use std::os::fd::BorrowedFd;

    /// `EXT4_IOC_SHUTDOWN` of the kernel's ext4: `_IOR('X', 125, __u32)`.
    const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
    /// `EXT4_GOING_FLAGS_NOLOGFLUSH`: not even the journal is written.
    const WITHOUT_LOG_FLUSH: u32 = 2;

    pub(super) fn without_log_flush(disk: BorrowedFd<'_>) -> rustix::io::Result<()> {
        // SAFETY: the kernel reads one u32 behind the pointer that `Setter` gives it, and writes nothing.
        unsafe { ioctl(disk, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(WITHOUT_LOG_FLUSH)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_no_room_until_it_is_freed() {
        let directory = tempfile::tempdir().unwrap();
        let disk = match SmallDisk::mount(&directory.path().join("disk"), 8) {
            Ok(disk) => disk,
            Err(reason) => return println!("SKIPPED: {reason}"),
        };
        let taken = disk.ballast().fill_up().unwrap();
        assert!((7 << 20..=8 << 20).contains(&taken), "{taken} bytes of 8 MiB");
        let file = disk.path().join("file");
        assert!(fs::write(&file, [1; 4_096]).is_err(), "there is room");
        disk.ballast().free().unwrap();
        fs::write(&file, [1; 4_096]).unwrap();
    }

    #[test]
    fn what_was_synced_is_there_after_a_loss_of_power_and_what_was_not_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let disk = match LossyDisk::mount(&directory.path().join("disk"), 32) {
            Ok(disk) => disk,
            Err(reason) => return println!("SKIPPED: {reason}"),
        };
        let (synced, written) = (disk.path().join("synced"), disk.path().join("written"));
        let mut file = fs::File::create(&synced).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync_all().unwrap();
        fs::File::open(disk.path()).unwrap().sync_all().unwrap();
        drop(file);
        fs::write(&written, b"lost").unwrap();
        disk.lose_power().unwrap();
        assert!(fs::write(disk.path().join("more"), b"x").is_err(), "the power is on");
        disk.power_up().unwrap();
        assert_eq!(fs::read(&synced).unwrap(), b"kept");
        assert!(fs::read(&written).unwrap_or_default().is_empty());
    }
}
