// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the fuzzer and the test of its corpus do with bytes: they are a driver, which
//! writes any register and any memory, and a device, which has events.
//!
//! The first byte chooses the transport; then come operations, a byte each and what
//! it takes:
//!
//! | | |
//! |---|---|
//! | 0 register, value | 32 bits to register `4 * register` |
//! | 1 offset, length, bytes | any access, 16 bits of offset |
//! | 2 offset, length | the same, read |
//! | 3 queue | buffers of it are used |
//! | 4 | the configuration changed |
//! | 5 place, value | 32 bits of memory at `4 * place` |
//! | 6 | a stop that goes on ends |
//! | 7 | an orderly driver, until the features are agreed |
//! | 8 | the same, queues and `DRIVER_OK` |
//! | 9 | reset by whoever has the device |
//! | 10 on | MSI-X of the function is enabled, or not |
//! | 11 | saved, and restored into another |
//! | 12 | an area of storage that is sound is put at 0x10000 and enabled |

mod device;
mod rig;

use rig::Rig;

/// What became of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Summary {
    /// Operations that were whole.
    pub(crate) operations: usize,
    /// Messages that were sent.
    pub(crate) messages: usize,
    /// How many times the line was asserted.
    pub(crate) asserted: usize,
    /// How many times the device was started.
    pub(crate) starts: usize,
    /// A state was restored.
    pub(crate) restored: usize,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn half(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

/// Does it all, and then has an orderly driver find a sound device.
pub(crate) fn drive(bytes: &[u8]) -> Summary {
    let mut bytes = Bytes(bytes);
    let mut rig = Rig::new(bytes.byte().unwrap_or(0));
    let mut summary = Summary::default();
    while operate(&mut rig, &mut bytes).is_some() {
        summary.operations += 1;
        rig.check();
    }
    rig.end(&mut summary);
    summary
}

fn operate(rig: &mut Rig, bytes: &mut Bytes<'_>) -> Option<()> {
    match bytes.byte()? % 13 {
        0 => {
            let register = u64::from(bytes.byte()?) * 4;
            rig.write(register, &bytes.word()?.to_le_bytes());
        }
        1 => {
            let offset = rig.far(bytes.half()?);
            let length = usize::from(bytes.byte()? % 40).min(bytes.0.len());
            let (from, rest) = bytes.0.split_at(length);
            bytes.0 = rest;
            rig.write(offset, from);
        }
        2 => {
            let offset = rig.far(bytes.half()?);
            let mut into = vec![0xaa; usize::from(bytes.byte()? % 40)];
            rig.read(offset, &mut into);
        }
        3 => rig.used(u16::from(bytes.byte()?)),
        4 => rig.config_changed(),
        5 => {
            let place = u64::from(bytes.half()?) * 4;
            rig.poke(place, bytes.word()?);
        }
        6 => rig.let_go(),
        7 => rig.agree(),
        8 => rig.go(),
        9 => rig.reset(),
        10 => rig.set_msix(bytes.byte()? & 1 != 0),
        11 => rig.save(),
        _ => rig.store(),
    }
    Some(())
}
