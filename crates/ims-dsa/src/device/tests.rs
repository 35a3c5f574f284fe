// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::thread;
use std::time::Duration;

use super::*;
use crate::bell::Bell;
use crate::client::{Client, Pasid, Portal};
use crate::layout::Descriptor;
use crate::layout::{Opcode, Status};
use crate::queue::SubmitError;
use crate::queue_config::Mode;
use crate::testing::{Gate, PAGE, Paged, Recorder, client, interrupting, recorded, transfer};

mod coming_and_going;
mod faults;
mod holds;
mod sharing;
mod waiting;

const PORTAL: Portal = Portal {
    table: crate::InterruptTable::MsiX,
    limited: false,
};

fn pasid(id: u32) -> Option<Pasid> {
    Pasid::new(id)
}

/// A device of one group with its queues enabled, and what it tells.
fn device(engines: usize, queues: &[QueueConfig]) -> (Device<Recorder>, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let config = DeviceConfig {
        engines: vec![Some(0); engines],
        queues: queues.to_vec(),
        ..DeviceConfig::default()
    };
    let log: Arc<dyn ErrorLog> = Arc::<Recorder>::clone(&recorder);
    let mut device = Device::new(&config, Arc::clone(&recorder), log).unwrap();
    for queue in (0..).zip(queues).map(|(number, _)| number) {
        device.enable(queue).unwrap();
    }
    (device, recorder)
}

fn dedicated(owner: u32) -> QueueConfig {
    QueueConfig {
        mode: Mode::Dedicated {
            owner: pasid(owner),
        },
        ..QueueConfig::default()
    }
}

fn shared(size: u16, threshold: u16) -> QueueConfig {
    QueueConfig {
        mode: Mode::Shared,
        size,
        threshold,
        ..QueueConfig::default()
    }
}

/// Memory that holds an engine at page 1, and its gate.
fn gated() -> (Arc<Paged>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    (
        Arc::new(Paged {
            gate: Some((1, Arc::clone(&gate))),
            ..Paged::new(4)
        }),
        gate,
    )
}

/// A copy out of the gated page.
fn held(completion: u64) -> Descriptor {
    transfer(Opcode::MemoryMove, completion, PAGE, 2 * PAGE, 64)
}

#[test]
fn a_full_queue_pushes_back_and_takes_again_when_it_has_room() {
    let (mut device, _) = device(
        1,
        &[QueueConfig {
            size: 2,
            ..dedicated(1)
        }],
    );
    let queues = device.queues();
    let one = client(1, Arc::new(Paged::new(1)));
    let nop = recorded(Opcode::NoOp, 0);
    let submit = || queues.submit(0, &one, PORTAL, &nop);
    assert_eq!(
        [submit(), submit(), submit()],
        [Ok(()), Ok(()), Err(SubmitError::Full)]
    );
    device.start().unwrap();
    queues.drain_all().unwrap();
    assert_eq!(queues.occupancy(0), Some(0));
    assert_eq!(queues.submit(0, &one, PORTAL, &nop), Ok(()));
}

#[test]
fn limited_portals_stop_at_the_threshold_of_a_shared_queue() {
    let (device, _) = device(1, &[shared(3, 1)]);
    let queues = device.queues();
    let one = client(1, Arc::new(Paged::new(1)));
    let nop = recorded(Opcode::NoOp, 0);
    let limited = Portal {
        limited: true,
        ..PORTAL
    };
    assert_eq!(queues.submit(0, &one, limited, &nop), Ok(()));
    assert_eq!(
        queues.submit(0, &one, limited, &nop),
        Err(SubmitError::Full)
    );
    assert_eq!(queues.submit(0, &one, PORTAL, &nop), Ok(()));
}

#[test]
fn a_queue_refuses_who_may_not_use_it() {
    let unused = QueueConfig {
        size: 0,
        ..QueueConfig::default()
    };
    let (mut device, _) = {
        let recorder = Arc::new(Recorder::default());
        let config = DeviceConfig {
            engines: vec![None, Some(0)],
            queues: vec![dedicated(1), unused, shared(4, 4)],
            ..DeviceConfig::default()
        };
        let log: Arc<dyn ErrorLog> = Arc::<Recorder>::clone(&recorder);
        (
            Device::new(&config, Arc::clone(&recorder), log).unwrap(),
            recorder,
        )
    };
    let queues = device.queues();
    let memory = Arc::new(Paged::new(1));
    let nop = recorded(Opcode::NoOp, 0);
    let submit = |queue, client: &Client| queues.submit(queue, client, PORTAL, &nop);
    let (one, two) = (
        client(1, Arc::clone(&memory)),
        client(2, Arc::clone(&memory)),
    );
    let nobody = Client {
        pasid: None,
        ..one.clone()
    };
    assert_eq!(submit(0, &one), Err(SubmitError::Disabled));
    device.enable(0).unwrap();
    device.enable(2).unwrap();
    assert_eq!(submit(0, &one), Ok(()));
    assert_eq!(submit(0, &two), Err(SubmitError::WrongSubmitter));
    assert_eq!(submit(2, &two), Ok(()));
    assert_eq!(submit(2, &nobody), Err(SubmitError::WrongSubmitter));
    assert_eq!(submit(1, &one), Err(SubmitError::NoSuchQueue));
    assert_eq!(submit(3, &one), Err(SubmitError::NoSuchQueue));
    assert_eq!(device.enable(1), Err(QueueError::NoSuchQueue));
}

#[test]
fn in_a_shared_queue_nobody_reaches_anothers_memory() {
    let (mut device, _) = device(2, &[shared(64, 64)]);
    device.start().unwrap();
    let queues = device.queues();
    let (mine, theirs) = (Arc::new(Paged::new(1)), Arc::new(Paged::new(4)));
    theirs.put(2 * PAGE, b"secret");
    let (me, them) = (client(1, Arc::clone(&mine)), client(2, Arc::clone(&theirs)));
    // It says it is PASID 2, in bytes nobody trusts.
    let steal = transfer(Opcode::MemoryMove, 64, 2 * PAGE, 256, 6);
    let steal = Descriptor {
        trusted: zerocopy::little_endian::U32::new(2),
        ..steal
    };
    let spoil = transfer(Opcode::Fill, 96, 0, 2 * PAGE, 6);
    queues
        .submit(0, &them, PORTAL, &recorded(Opcode::NoOp, 64))
        .unwrap();
    queues.submit(0, &me, PORTAL, &steal).unwrap();
    queues.submit(0, &me, PORTAL, &spoil).unwrap();
    queues.drain_all().unwrap();
    assert_eq!(mine.record(64).status, Status::PageFault.code());
    assert_eq!(mine.record(96).status, Status::PageFault.code() | 0x80);
    assert_eq!(mine.get(256, 6), [0; 6]);
    assert_eq!(theirs.get(2 * PAGE, 6), b"secret");
}

#[test]
fn one_engine_executes_a_queue_in_order() {
    let (mut device, recorder) = device(
        1,
        &[QueueConfig {
            size: 100,
            ..dedicated(1)
        }],
    );
    let queues = device.queues();
    let one = client(1, Arc::new(Paged::new(1)));
    for handle in 0..100 {
        let nop = interrupting(recorded(Opcode::NoOp, 0), handle);
        queues.submit(0, &one, PORTAL, &nop).unwrap();
    }
    device.start().unwrap();
    queues.drain_queue(0).unwrap();
    let order = recorder.raised.lock().unwrap();
    assert!(order.iter().map(|(_, handle, _)| handle.number).eq(0..100));
}

#[test]
fn a_queue_is_reconfigured_only_while_disabled_and_empty() {
    let (mut device, _) = device(1, &[dedicated(1)]);
    let queues = device.queues();
    let two = client(2, Arc::new(Paged::new(1)));
    let nop = recorded(Opcode::NoOp, 0);
    assert_eq!(device.configure(0, dedicated(2)), Err(QueueError::Enabled));
    queues
        .submit(0, &client(1, Arc::new(Paged::new(1))), PORTAL, &nop)
        .unwrap();
    assert_eq!(device.disable(0), Err(QueueError::Stopped(Stopped)));
    assert_eq!(device.configure(0, dedicated(2)), Err(QueueError::NotEmpty));
    assert_eq!(queues.abort_queue(0), Ok(1));
    let elsewhere = QueueConfig {
        group: 1,
        ..dedicated(2)
    };
    assert_eq!(device.configure(0, elsewhere), Err(QueueError::Fixed));
    device.configure(0, dedicated(2)).unwrap();
    device.enable(0).unwrap();
    assert_eq!(queues.submit(0, &two, PORTAL, &nop), Ok(()));
}

#[test]
fn busy_queues_share_an_engine_by_priority() {
    let sizes = |owner, priority| QueueConfig {
        size: 100,
        priority,
        ..dedicated(owner)
    };
    let (mut device, recorder) = device(1, &[sizes(1, 3), sizes(2, 1)]);
    let queues = device.queues();
    let memory = Arc::new(Paged::new(1));
    for _ in 0..100 {
        for (queue, owner) in [(0, 1), (1, 2)] {
            let nop = interrupting(recorded(Opcode::NoOp, 0), 1);
            queues
                .submit(queue, &client(owner, Arc::clone(&memory)), PORTAL, &nop)
                .unwrap();
        }
    }
    device.start().unwrap();
    queues.drain_all().unwrap();
    let raised = recorder.raised.lock().unwrap();
    let of_first = raised
        .iter()
        .take(80)
        .filter(|(.., who)| *who == pasid(1))
        .count();
    assert_eq!(of_first, 60);
}

#[test]
fn each_of_many_submitters_descriptors_is_executed_exactly_once() {
    const SUBMITTERS: u16 = 4;
    const EACH: u16 = 2000;
    let queues = [
        shared(7, 5),
        QueueConfig {
            priority: 9,
            ..shared(16, 16)
        },
    ];
    let (mut device, recorder) = device(3, &queues);
    device.start().unwrap();
    thread::scope(|scope| {
        for submitter in 0..SUBMITTERS {
            let queues = device.queues();
            scope.spawn(move || {
                let who = client(submitter.into(), Arc::new(Paged::new(1)));
                for each in 0..EACH {
                    let nop = interrupting(recorded(Opcode::NoOp, 64), submitter * EACH + each);
                    let queue = u32::from((each ^ each >> 3) & 1);
                    let portal = Portal {
                        limited: each % 3 == 0,
                        ..PORTAL
                    };
                    while let Err(error) = queues.submit(queue, &who, portal, &nop) {
                        assert_eq!(error, SubmitError::Full);
                        thread::yield_now();
                    }
                }
            });
        }
        // Stopping and starting meanwhile loses and doubles nothing.
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(2));
            device.stop();
            device.start().unwrap();
        }
    });
    device.queues().drain_all().unwrap();
    let total = u64::from(SUBMITTERS) * u64::from(EACH);
    let mut raised: Vec<(u16, Option<Pasid>)> = recorder
        .raised
        .lock()
        .unwrap()
        .iter()
        .map(|(_, handle, who)| (handle.number, *who))
        .collect();
    raised.sort_unstable();
    assert!(
        raised
            .iter()
            .map(|(handle, _)| *handle)
            .eq(0..SUBMITTERS * EACH)
    );
    assert!(
        raised
            .iter()
            .all(|(handle, who)| *who == pasid((handle / EACH).into()))
    );
    let statistics = device.statistics();
    assert_eq!(
        (statistics.descriptors, statistics.interrupts),
        (total, total)
    );
    assert_eq!(
        (statistics.ended_with(Status::Success), statistics.records),
        (total, total)
    );
}
