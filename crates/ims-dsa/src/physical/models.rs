// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Models: a raise against whoever masks, unmasks, revokes or resets.
//!
//! How they are run is said in `group/models.rs`.
#![allow(clippy::unwrap_used, reason = "models are tests")]

use std::ops::Range;
use std::sync::Arc;

use ims_vfio::Function;
use ims_vfio::dma::{Dma, ReadThen, Remote, WriteThen};
use ims_vfio::irqs::{Irqs, Lines};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use rustix::io::Errno;

use super::config::PhysicalConfig;
use super::identity::config_space;
use super::interrupts::{EngineInterrupts, Tables};
use crate::client::InterruptTable;
use crate::front::Parameters;
use crate::interrupts::{Handle, Interrupts, InvalidHandle};

/// Control of an entry of the store, and its mask.
const CONTROL: u64 = 12;
const MASKED: [u8; 4] = [1, 0, 0, 0];
const UNMASKED: [u8; 4] = [0; 4];

/// A client that counts messages, by a count without an order of its own.
#[derive(Default)]
struct Client(AtomicUsize);

impl Client {
    fn messages(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Remote for Client {
    fn read(&self, _: u64, _: usize, then: ReadThen) {
        then(Err(Errno::OPNOTSUPP));
    }

    fn write(&self, _: u64, _: &[u8], then: WriteThen) {
        self.0.fetch_add(1, Ordering::Relaxed);
        then(Ok(()));
    }

    fn post(&self, _: u64, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn abandon(&self, _: Option<Range<u64>>) {}

    fn may_wait(&self) -> bool {
        true
    }
}

/// Tables with little in them, and an engine's way to them.
struct Rig {
    tables: Arc<Tables>,
    client: Arc<Client>,
    engine: Arc<EngineInterrupts>,
    handle: u16,
}

impl Rig {
    fn new(table: InterruptTable, control: [u8; 4]) -> Self {
        let parameters = Parameters {
            vectors: 2,
            ..Parameters::default()
        };
        let config = PhysicalConfig {
            parameters,
            ..PhysicalConfig::default()
        };
        let dma = Dma::default();
        let client = Arc::<Client>::default();
        let function = Arc::new(Function {
            config: config_space(&config).unwrap(),
            irqs: Irqs::new(Lines::msix(2), None).unwrap(),
            dma: dma.clone(),
        });
        let mut parameters = config.parameters;
        parameters.ims_entries = 1;
        let tables = Arc::new(Tables::new(&parameters, function));
        let remote: Arc<dyn Remote> = client.clone();
        dma.set_remote(Some(remote));
        dma.allow();
        let handle = tables.request(table, 0).unwrap();
        match table {
            InterruptTable::Ims => tables.ims.write(CONTROL, &control),
            InterruptTable::MsiX => tables
                .vectors
                .write_table(CONTROL / 4, u32::from_le_bytes(control)),
        }
        Self {
            engine: Arc::new(EngineInterrupts::new(Arc::clone(&tables))),
            tables,
            client,
            handle,
        }
    }

    /// Raises it once on another thread.
    fn raise(&self, table: InterruptTable) -> thread::JoinHandle<Result<(), InvalidHandle>> {
        let (engine, number) = (Arc::clone(&self.engine), self.handle);
        let handle = Handle { table, number };
        thread::spawn(move || engine.raise(&mut (), 0, handle, None))
    }

    fn is_pending(&self, table: InterruptTable) -> bool {
        match table {
            InterruptTable::Ims => {
                let mut control = [0; 4];
                self.tables.ims.read(CONTROL, &mut control);
                control[0] & 2 != 0
            }
            InterruptTable::MsiX => self.tables.vectors.read_pending(0) & 1 != 0,
        }
    }

    /// How often it was raised, and what was tried towards the client.
    fn tried(&self) -> (u64, u64) {
        let report = self.tables.report();
        let raises = report.first().map(|vector| vector.raises);
        raises.map_or((0, 0), |raises| {
            (raises.raised, raises.delivered + raises.refused)
        })
    }
}

fn each(model: fn(InterruptTable)) {
    for table in [InterruptTable::Ims, InterruptTable::MsiX] {
        loom::model(move || model(table));
    }
}

#[test]
fn loom_physical_a_raise_and_an_unmask_are_one_interrupt() {
    each(|table| {
        let rig = Rig::new(table, MASKED);
        let raise = rig.raise(table);
        match table {
            InterruptTable::Ims => rig.tables.ims.write(CONTROL, &UNMASKED),
            InterruptTable::MsiX => rig.tables.vectors.write_table(CONTROL / 4, 0),
        }
        raise.join().unwrap().unwrap();
        assert_eq!(rig.tried(), (1, 1));
        assert!(!rig.is_pending(table));
    });
}

#[test]
fn loom_physical_two_unmasks_give_what_was_kept_once() {
    each(|table| {
        let rig = Rig::new(table, MASKED);
        rig.raise(table).join().unwrap().unwrap();
        assert!(rig.is_pending(table));
        let unmask = move |tables: &Tables| match table {
            InterruptTable::Ims => tables.ims.write(CONTROL, &UNMASKED),
            InterruptTable::MsiX => tables.vectors.write_table(CONTROL / 4, 0),
        };
        let other = thread::spawn({
            let tables = Arc::clone(&rig.tables);
            move || unmask(&tables)
        });
        unmask(&rig.tables);
        other.join().unwrap();
        assert_eq!(rig.tried(), (1, 1));
        assert!(!rig.is_pending(table));
    });
}

#[test]
fn loom_physical_no_message_is_sent_after_its_entry_was_masked() {
    loom::model(|| {
        let table = InterruptTable::Ims;
        let rig = Rig::new(table, UNMASKED);
        let raise = rig.raise(table);
        rig.tables.ims.write(CONTROL, &MASKED);
        let sent = rig.client.messages();
        raise.join().unwrap().unwrap();
        assert_eq!(rig.client.messages(), sent);
        assert_eq!(rig.is_pending(table), sent == 0, "kept if it was not sent");
    });
}

#[test]
fn loom_physical_a_revoked_handle_raises_or_is_refused() {
    each(|table| {
        let rig = Rig::new(table, MASKED);
        let raise = rig.raise(table);
        assert_eq!(rig.tables.revoke_all(), 1);
        let kept = rig.is_pending(table);
        let raised = raise.join().unwrap();
        assert_eq!(raised.is_ok(), kept);
        assert_eq!(rig.is_pending(table), kept, "nothing after the revocation");
    });
}

#[test]
fn loom_physical_nothing_is_kept_in_an_entry_that_was_reset() {
    each(|table| {
        let rig = Rig::new(table, MASKED);
        let raise = rig.raise(table);
        rig.engine.end();
        rig.tables.reset();
        // What the next owner of the entry does at once.
        let again = rig.tables.request(table, 0).unwrap();
        assert_eq!(again, rig.handle);
        raise.join().unwrap().unwrap();
        assert!(!rig.is_pending(table));
    });
}
