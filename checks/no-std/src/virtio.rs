// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The virtio driver as a unikernel has it: memory by a pointer, registers by a trait.

use core::iter::once;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use ims_virtio::layout::vis::{PENDING, header, register};
use ims_virtio::layout::{features, mmio};
use ims_virtio_driver::interrupts::{Accept, Mode, Plan, area_bytes};
use ims_virtio_driver::queue::Buffer;
use ims_virtio_driver::shared::{Mapped, Shared};
use ims_virtio_driver::transport::Mmio;
use ims_virtio_driver::{Device, Message, Registers};

/// Words of the memory that both sides have.
const WORDS: usize = 1024;
/// Where the device finds it.
const BUS: u64 = 0x8000_0000;
/// Where the queue is in it, behind the area of VIS.
const QUEUE: usize = 0x1000;

/// On a page of its own.
#[repr(C, align(4096))]
struct Memory([AtomicU64; WORDS]);

static MEMORY: Memory = Memory([const { AtomicU64::new(0) }; WORDS]);

/// All of it from byte `offset` on.
fn shared(offset: usize) -> Option<Mapped> {
    let words = MEMORY.0.get(offset / 8..)?;
    let base = NonNull::new(words.as_ptr().cast_mut())?.cast::<u8>();
    let bus = BUS.checked_add(u64::try_from(offset).ok()?)?;
    // SAFETY: the words are static and atomic, and `base` is the first of so many.
    Some(unsafe { Mapped::new(base, size_of_val(words), bus) })
}

/// A device that agrees to everything, and says in memory that commands are done.
struct Agreeing {
    status: AtomicU32,
    commands: AtomicU32,
    notified: AtomicU32,
}

impl Registers for Agreeing {
    fn read(&self, _: u8, offset: u64, _: u8) -> u64 {
        match offset {
            mmio::MAGIC => mmio::MAGIC_VALUE.into(),
            mmio::VERSION => mmio::VERSION_VALUE.into(),
            mmio::DEVICE_ID => 2,
            // Either half.
            mmio::DEVICE_FEATURES => (features::VERSION_1 | features::VIS) >> 32,
            mmio::STATUS => self.status.load(Ordering::Relaxed).into(),
            mmio::QUEUE_SIZE_MAX => 16,
            register::VECTORS => 8,
            _ => 0,
        }
    }

    fn write(&self, _: u8, offset: u64, value: u64, _: u8) {
        match offset {
            mmio::STATUS => {
                let status = u32::try_from(value).unwrap_or(0);
                self.status.store(status, Ordering::Relaxed);
            }
            mmio::QUEUE_NOTIFY => {
                self.notified.fetch_add(1, Ordering::Relaxed);
            }
            register::COMMAND => {
                self.commands.fetch_add(1, Ordering::Relaxed);
                let _ = answer();
            }
            _ => {}
        }
    }
}

/// Says that the last command is done.
fn answer() -> Option<()> {
    let area = shared(0)?;
    let word = |field| area.word32(usize::try_from(field).ok()?);
    let asked = word(header::ASK)?.load(Ordering::Relaxed);
    word(header::DONE)?.store(asked, Ordering::Release);
    Some(())
}

/// Sets a device up with VIS, masks and unmasks a vector, and has a buffer come back;
/// `None` if anything is not as it should.
pub(crate) fn drive() -> Option<()> {
    let registers = Agreeing {
        status: AtomicU32::new(0),
        commands: AtomicU32::new(0),
        notified: AtomicU32::new(0),
    };
    let accept = Accept {
        vis: true,
        ..Accept::default()
    };
    let device = Device::begin(Mmio::find(&registers).ok()?, 0, accept).ok()?;
    let made = device.queue::<_, 16>(0, shared(QUEUE)?, 8, 0);
    let (mut queue, doorbell) = made.ok()?;
    let plan = Plan {
        messages: &[Message::default(); 2],
        queues: &[1],
        config: 0,
    };
    let mut interrupts = device.interrupts(&plan, shared(0)).ok()?.interrupts;
    let fits = area_bytes(2, 1) <= QUEUE;
    if interrupts.mode() != Mode::Vis || !fits {
        return None;
    }
    device.start().ok()?;

    // Masking costs no command, and neither does taking what was kept.
    interrupts.mask(1).ok()?;
    let area = shared(0)?;
    let gates = area.word32(usize::try_from(header::GATES).ok()?)?;
    let gate = usize::try_from(gates.load(Ordering::Relaxed)).ok()? + 64;
    area.word32(gate)?.fetch_or(PENDING, Ordering::Relaxed);
    let kept = interrupts.as_vis()?.take(1).ok()?;
    interrupts.unmask(1).ok()?;
    if !kept || registers.commands.load(Ordering::Relaxed) != 1 {
        return None;
    }

    let buffer = Buffer {
        address: BUS,
        length: 64,
        writable: true,
    };
    let token = queue.add(once(buffer)).ok()?;
    if queue.wants_notification() {
        doorbell.ring();
    }
    let device_ring = usize::try_from(queue.rings().device.checked_sub(BUS)?).ok()?;
    let all = shared(0)?;
    let element = [u32::from(token), 20];
    for (at, value) in (device_ring + 4..).step_by(4).zip(element) {
        all.word32(at)?.store(value, Ordering::Relaxed);
    }
    all.word16(device_ring + 2)?.store(1, Ordering::Release);
    let used = queue.take().ok()??;
    let notified = registers.notified.load(Ordering::Relaxed) == 1;
    (notified && used.token == token && used.written == 20).then_some(())
}
