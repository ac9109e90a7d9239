//! Both kinds of socket are reached, and who is not supervised says nothing.

use std::{
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Supervisor, connect};
use crate::cluster::Scratch;

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn a_socket_in_a_directory_and_one_without_are_reached() {
    let scratch = Scratch::new("holdfast-notify").unwrap();
    let path = scratch.path().join("notify");
    let name = format!("holdfast-{:016x}", rand::random::<u64>());
    let in_directory = UnixDatagram::bind(&path).unwrap();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let without = UnixDatagram::bind_addr(&address).unwrap();
    let sockets = [(path.into_os_string(), in_directory), (format!("@{name}").into(), without)];
    for (name, listener) in sockets {
        let supervisor = Supervisor { socket: Some(connect(&name).unwrap()), watchdog: None };
        supervisor.ready();
        supervisor.stopping();
        assert_eq!([heard(&listener), heard(&listener)], ["READY=1", "STOPPING=1"]);
    }
    assert!(connect(OsStr::new("/nonexistent/notify")).is_err());
}

#[tokio::test]
async fn the_watchdog_is_fed_while_all_is_well() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let supervisor = Supervisor { socket: Some(ours), watchdog: Some(Duration::from_millis(4)) };
    let ended = CancellationToken::new();
    let (mut looked, end) = (0, ended.clone());
    let looked = std::cell::RefCell::new(&mut looked);
    // Well at the first two looks, not at the third, which is the last one.
    let well = || {
        **looked.borrow_mut() += 1;
        if **looked.borrow() == 3 {
            end.cancel();
        }
        **looked.borrow() < 3
    };
    supervisor.watch(well, ended).await;
    assert_eq!([heard(&theirs), heard(&theirs)], ["WATCHDOG=1", "WATCHDOG=1"]);
    assert!(theirs.recv(&mut [0; 64]).is_err(), "nothing was said at the third look");
}
