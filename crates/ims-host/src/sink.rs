// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A remap unit for messages that no port of the host raises.

use std::fmt;

use ims::message::{Message, RequesterId};
use ims::sink::{Answer, MessageSink};

use crate::host::{Host, HostUnit, Unit};

/// A host's remap unit, as the sink of a device that has its messages from elsewhere:
/// a guest's MSI-X, a virtio device.
///
/// Each message is sent inside a flight of the sending thread. Entries that are moved
/// or freed meanwhile wait for it: without, a message could be posted to a vector that
/// its interrupt has left, where nobody takes it.
///
/// # Concurrency
/// On any thread, without a lock. A clone is the same unit; it keeps the host.
#[derive(Clone)]
pub struct UnitSink {
    host: Host,
    unit: HostUnit,
}

impl Host {
    /// `unit`, one of this host's, as the sink of messages that no port raises.
    pub fn sink(&self, unit: &Unit) -> UnitSink {
        UnitSink {
            host: self.clone(),
            unit: unit.data.clone(),
        }
    }
}

impl MessageSink for UnitSink {
    #[inline]
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        self.host.fly(|_| self.unit.send(requester, message))
    }

    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        self.unit.ready(requester, message)
    }
}

impl fmt::Debug for UnitSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitSink").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use ims::domain::{Affinity, DomainError, Kind, Request};
    use ims::message::DeliveryMode;
    use ims::sink::Acceptance;
    use ims::store::table::Table;
    use ims::store::{CookieUse, Slots, Store};
    use ims::vector::CpuId;

    use super::*;
    use crate::{ForeignCpus, HostError};

    /// CPUs that keep a sender in the middle of its message until it is let out.
    struct Doorway {
        inside: SyncSender<CpuId>,
        out: Mutex<Receiver<()>>,
    }

    impl ForeignCpus for Doorway {
        fn deliver(&self, cpu: CpuId, _vector: u8, _mode: DeliveryMode) -> Answer {
            self.inside.send(cpu).unwrap();
            self.out.lock().unwrap().recv().unwrap();
            Answer::Accepted(Acceptance::HandedOver)
        }

        fn is_quiet(&self, _cpu: CpuId, _vector: u8) -> bool {
            true
        }
    }

    #[test]
    fn a_message_on_its_way_keeps_the_vector_its_interrupt_leaves() {
        let (inside, wait_inside) = sync_channel(1);
        let (let_out, out) = sync_channel(1);
        let out = Mutex::new(out);
        let doorway: Arc<dyn ForeignCpus> = Arc::new(Doorway { inside, out });
        let host = Host::new();
        let unit = host.add_unit(16, 4).unwrap();
        let (space, _takes) = host.add_foreign_space(2, &[], &doorway).unwrap();
        let device = host.add_device(RequesterId(0x0100));
        let table = Table::new(16, CookieUse::Opaque);
        let slots = table.slots();
        let domain = device.add_domain(Kind::Ims, 0, &unit, table).unwrap();
        let request = Request::new(space.id).affinity(Affinity::Cpu(CpuId(0)));
        let irq = domain.alloc(&request, |_| {}).unwrap();
        let message = slots.fetch(irq.index(), 0).unwrap().message;
        let sink = host.sink(&unit);
        thread::scope(|scope| {
            let sender = scope.spawn(|| sink.send(RequesterId(0x0100), message));
            assert_eq!(wait_inside.recv().unwrap(), CpuId(0));
            irq.set_affinity(&Affinity::Cpu(CpuId(1))).unwrap();
            for _ in 0..10 {
                host.settle();
            }
            let back = irq.set_affinity(&Affinity::Cpu(CpuId(0)));
            let_out.send(()).unwrap();
            assert!(
                matches!(back, Err(HostError::Domain(DomainError::Moving))),
                "{back:?}"
            );
            assert!(matches!(sender.join().unwrap(), Answer::Accepted(_)));
        });
        while host.settle() > 0 {}
        irq.set_affinity(&Affinity::Cpu(CpuId(0))).unwrap();
    }
}
