//! A network namespace without a name.
//!
//! It is made by a short-lived holder process, and from then on kept by an open file of this process
//! alone: when this process ends, however it ends, nothing is left of it once the processes inside have
//! ended too.

use super::NetError;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io::{self, Read, Write},
    net::Ipv4Addr,
    os::{fd::AsFd, unix::process::CommandExt},
    panic,
    path::Path,
    process::{Command, Stdio},
    thread,
};
use tun_rs::{DeviceBuilder, SyncDevice};

/// The one device beside loopback.
const DEVICE: &str = "net0";
/// The longest packet. As large as data centres have them, which spares the switch most of its work.
pub(super) const MTU: usize = 9000;
/// Packets that may wait for the switch, while it waits for a processor.
const QUEUE: u32 = 10_000;
/// Lets a process bind an address that it has not, as `server::cluster::ports` does for the nodes.
const BIND_ANY: &str = "/proc/sys/net/ipv4/ip_nonlocal_bind";

/// The rights to namespaces and to their devices, as bits of `CapEff` (capabilities(7)).
const RIGHTS: u64 = CAP_NET_ADMIN | CAP_SYS_ADMIN;
const CAP_NET_ADMIN: u64 = 1 << 12;
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// Of util-linux and iproute2.
const TOOLS: [&str; 2] = ["unshare", "ip"];

/// What this process lacks for namespaces and devices; none if it may have them.
pub(super) fn lacking() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let has = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let has = has.and_then(|has| u64::from_str_radix(has.trim(), 16).ok()).unwrap_or_default();
    if has & RIGHTS != RIGHTS {
        return Some("network namespaces need the rights of root".into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = |tool: &&str| !std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    let tun = Some("/dev/net/tun").filter(|tun| !Path::new(tun).exists());
    let missing = tun.or_else(|| TOOLS.into_iter().find(missing))?;
    Some(format!("{missing} is missing"))
}

/// A namespace.
pub(super) struct Space {
    file: File,
}

impl Space {
    /// Makes an empty one.
    pub(super) fn new() -> Result<Space, NetError> {
        let wrong = |source| NetError::NoNamespace { source };
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| wrong(annotate("unshare of util-linux", &source)))?;
        let opened = open(&mut holder);
        // The end of its input ends it; killing it is for the case that it never came so far.
        let _ = holder.kill();
        let said = holder.wait_with_output().map_err(wrong)?.stderr;
        let said = String::from_utf8_lossy(&said);
        let file = opened.map_err(|source| wrong(annotate(said.trim(), &source)))?;
        Ok(Space { file })
    }

    /// Runs something on a thread inside. Threads and processes that it starts are inside as well.
    pub(super) fn inside<T: Send>(&self, run: impl FnOnce() -> T + Send) -> Result<T, NetError> {
        let within = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|source| NetError::NoNamespace { source: source.into() })?;
            Ok(run())
        };
        thread::scope(|scope| scope.spawn(within).join())
            .unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// Gives it loopback, and a TUN device with this address whose packets are the caller's to move.
    /// With `bind_any`, processes inside may bind addresses of others.
    pub(super) fn connect(
        &self,
        address: Ipv4Addr,
        bind_any: bool,
    ) -> Result<SyncDevice, NetError> {
        self.inside(|| {
            let device = device().map_err(|source| NetError::NoDevice { source })?;
            let script = format!(
                "link set lo up\n\
                 addr add {address}/24 dev {DEVICE}\n\
                 link set {DEVICE} mtu {MTU} txqueuelen {QUEUE} up\n"
            );
            tool("ip", &["-batch", "-"], &script)?;
            if bind_any {
                std::fs::write(BIND_ANY, "1").map_err(|source| NetError::NoNamespace {
                    source: annotate(BIND_ANY, &source),
                })?;
            }
            Ok(device)
        })?
    }
}

/// The device lies in the namespace of the thread that opens it.
fn device() -> io::Result<SyncDevice> {
    let device = DeviceBuilder::new().name(DEVICE).enable(false).build_sync()?;
    device.set_nonblocking(true)?;
    Ok(device)
}

/// Waits until the holder has left this process's namespace, which it shows by echoing a byte, and opens
/// its own.
fn open(holder: &mut std::process::Child) -> io::Result<File> {
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    holder.stdin.as_mut().ok_or_else(broken)?.write_all(b".")?;
    holder.stdout.as_mut().ok_or_else(broken)?.read_exact(&mut [0])?;
    File::open(format!("/proc/{}/ns/net", holder.id()))
}

/// Runs a tool with this input, and gives what it said.
pub(super) fn tool(
    name: &'static str,
    arguments: &[&str],
    input: &str,
) -> Result<String, NetError> {
    let failed = |said: String| NetError::Tool { name, said };
    let run = || -> io::Result<std::process::Output> {
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn annotate(what: &str, source: &io::Error) -> io::Error {
    io::Error::new(source.kind(), format!("{what}: {source}"))
}
