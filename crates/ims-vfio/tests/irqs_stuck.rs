// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that makes its eventfds blocking again, and holds whoever raises.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "tests"
)]

mod irqs_common;

use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ims_vfio::irqs::{Irqs, Lines, Payload, SetIrqs, Signalled};
use irqs_common::world::{drain, make, pair};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

const INTX: u32 = 0;
const MSIX: u32 = 2;

/// What one wait for a raiser is at most.
const PATIENCE: Duration = Duration::from_millis(20);
/// Far more than that, for a machine that is busy.
const SOON: Duration = Duration::from_secs(5);

const FULL: u64 = u64::MAX - 1;

fn device(vectors: u32) -> Irqs {
    let lines = Lines {
        intx: true,
        msix: vectors,
        ..Lines::default()
    };
    make(lines, Some(vectors)).0
}

fn ask(irqs: &Irqs, flags: u32, index: u32, start: u32, payload: Payload<'_>) {
    let header = SetIrqs {
        argsz: 24,
        flags,
        index,
        start,
        count: 1,
    };
    irqs.set(header, payload).unwrap();
}

fn replace(irqs: &Irqs, index: u32, vector: u32) -> OwnedFd {
    let (fd, client) = pair();
    ask(irqs, 0x24, index, vector, Payload::Triggers(vec![Some(fd)]));
    client
}

/// Makes `fd` full, and blocking for everybody who has it open.
fn fill(fd: &OwnedFd) {
    rustix::io::write(fd, &FULL.to_ne_bytes()).unwrap();
    let flags = fcntl_getfl(fd).unwrap();
    fcntl_setfl(fd, flags - OFlags::NONBLOCK).unwrap();
}

/// Has a thread of the device held in `client`, which `raise` signals.
fn hold<T: Send + 'static>(
    client: &OwnedFd,
    raise: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    fill(client);
    let raiser = thread::spawn(raise);
    thread::sleep(Duration::from_millis(100));
    assert!(!raiser.is_finished(), "not held");
    raiser
}

/// Runs `what` in a thread, so that a server which is held fails and does not hang.
fn soon(what: impl FnOnce() + Send + 'static) -> Duration {
    let start = Instant::now();
    let server = thread::spawn(what);
    while !server.is_finished() {
        assert!(start.elapsed() < SOON, "held");
        thread::sleep(Duration::from_micros(100));
    }
    let took = start.elapsed();
    server.join().unwrap();
    took
}

#[test]
fn raisers_that_a_client_holds_do_not_hold_the_server() {
    let irqs = device(16);
    irqs.emulated(0..16).unwrap();
    let other = replace(&irqs, MSIX, 15);
    let held: Vec<_> = (0..8)
        .map(|vector| {
            let client = replace(&irqs, MSIX, vector);
            let raise = irqs.clone();
            let raiser = hold(&client, move || raise.trigger(MSIX, vector));
            (vector, client, raiser)
        })
        .collect();
    assert!(!irqs.has_stuck_raiser());

    let mut waits = Vec::new();
    for (vector, _, _) in &held {
        let (fd, client) = pair();
        let (irqs, vector) = (irqs.clone(), *vector);
        waits.push(soon(move || {
            let triggers = Payload::Triggers(vec![Some(fd)]);
            ask(&irqs, 0x24, MSIX, vector, triggers);
            assert!(irqs.has_stuck_raiser());
        }));
        assert_eq!(drain(&client), 1, "in the raiser's stead");
    }
    assert!(waits[0] >= PATIENCE, "{waits:?}");
    assert!(
        waits[1..].iter().any(|wait| *wait < PATIENCE),
        "it waits each time: {waits:?}"
    );

    // The rest works as ever.
    assert_eq!(irqs.trigger(MSIX, 15), Ok(Signalled::Now));
    assert_eq!(drain(&other), 1);
    let newer = replace(&irqs, MSIX, 15);
    assert_eq!(drain(&newer), 0, "nobody was inside");
    assert_eq!(irqs.trigger(MSIX, 15), Ok(Signalled::Now));
    assert_eq!((drain(&newer), drain(&other)), (1, 0));

    // Another client is believed anew.
    irqs.reset();
    assert!(!irqs.has_stuck_raiser());
    for (_, client, raiser) in held {
        assert_eq!(drain(&client), FULL);
        assert_eq!(raiser.join().unwrap(), Ok(Signalled::Now));
    }
}

#[test]
fn a_device_whose_pin_is_held_is_disabled_and_reset_all_the_same() {
    let irqs = device(1);
    let client = replace(&irqs, INTX, 0);
    let raise = irqs.clone();
    let raiser = hold(&client, move || raise.intx(true));
    let server = irqs.clone();
    soon(move || ask(&server, 0x24, INTX, 0, Payload::Triggers(vec![None])));
    assert!(irqs.has_stuck_raiser());
    let server = irqs.clone();
    soon(move || server.reset());
    assert_eq!(drain(&client), FULL);
    raiser.join().unwrap();
}

#[test]
fn what_a_client_asks_for_does_not_hold_the_server_in_its_own_eventfds() {
    let irqs = device(2);
    irqs.emulated(0..1).unwrap();
    // Loopback: an emulated vector and one that IMS backs.
    for vector in 0..2 {
        let client = replace(&irqs, MSIX, vector);
        fill(&client);
        let server = irqs.clone();
        soon(move || ask(&server, 0x21, MSIX, vector, Payload::None));
        assert_eq!(drain(&client), FULL);
    }
    irqs.reset();
    // The pin, signalled again when it is unmasked.
    let client = replace(&irqs, INTX, 0);
    irqs.intx(true);
    assert_eq!(drain(&client), 1);
    fill(&client);
    let server = irqs.clone();
    soon(move || ask(&server, 0x11, INTX, 0, Payload::None));
    assert_eq!(drain(&client), FULL);
    // And the eventfd that unmasks it, which has nothing to read.
    let (fd, unmask) = pair();
    ask(&irqs, 0x14, INTX, 0, Payload::Triggers(vec![Some(fd)]));
    let flags = fcntl_getfl(&unmask).unwrap();
    fcntl_setfl(&unmask, flags - OFlags::NONBLOCK).unwrap();
    let server = irqs.clone();
    soon(move || server.unmask_signalled());
    assert!(irqs.save().pin.masked);
    rustix::io::write(&unmask, &1_u64.to_ne_bytes()).unwrap();
    let server = irqs.clone();
    soon(move || server.unmask_signalled());
    // Unmasked, signalled and masked by itself: full would have stayed full.
    assert_eq!(drain(&client), 1);
}
