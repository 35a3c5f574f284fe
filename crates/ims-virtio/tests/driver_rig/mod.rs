// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our devices behind our transports, in this process, as a driver finds them.
//!
//! ```text
//!   driver crate ── Wired ──▶ Mmio | Function(Pci, MSI-X) ──▶ Block on a file
//!        ▲                          │ messages      │ level
//!        └── threads ◀── Bells ◀────┘               └──▶ Pin
//! ```

pub mod bells;
pub mod function;
pub mod load;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ims::domain::Kind as DomainKind;
use ims::message::RequesterId;
use ims::sink::MessageSink;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Form, Host};
use ims_virtio::block::{Block, BlockOptions, Disk};
use ims_virtio::layout::msi::Layout;
use ims_virtio::mmio::{Mmio, MmioOptions};
use ims_virtio::{BackingInterrupts, Device, Line, msi, vis};
use ims_virtio_driver::Registers;
use ims_virtio_driver::interrupts::Accept;
use ims_virtio_driver::shared::Window;
use vm_memory::{GuestAddress, GuestMemoryMmap};

pub use bells::Pin;
pub use function::Function;

pub type Memory = Arc<GuestMemoryMmap<()>>;

/// Who the device's messages come from.
pub const REQUESTER: RequesterId = RequesterId(0x0200);
/// Where the area of VIS is.
pub const AREA: u64 = 0x10_0000;
/// Where queue 0 has its memory; the others follow.
pub const QUEUES: u64 = 0x20_0000;
/// Bytes of memory of a queue: its rings, then its data.
pub const QUEUE: u64 = 0x2_0000;

pub fn memory(queues: u16) -> Memory {
    let bytes = QUEUES + QUEUE * u64::from(queues);
    let ranges = [(GuestAddress(0), bytes as usize)];
    Arc::new(GuestMemoryMmap::from_ranges(&ranges).unwrap())
}

pub fn window(memory: &Memory, address: u64, length: usize) -> Window<Memory> {
    Window::new(Arc::clone(memory), address, length).unwrap()
}

/// Registers, whosever they are.
#[derive(Clone)]
pub struct Wired(pub Arc<dyn Registers + Send + Sync>);

impl Registers for Wired {
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        self.0.read(bar, offset, bytes)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        self.0.write(bar, offset, value, bytes);
    }

    fn read_config(&self, offset: u16) -> u32 {
        self.0.read_config(offset)
    }

    fn write_config(&self, offset: u16, value: u32) {
        self.0.write_config(offset, value);
    }
}

/// A register block as the driver reaches it.
struct Block0<D, K, L>(Mmio<Memory, D, K, L>);

impl<D, K, L> Registers for Block0<D, K, L>
where
    D: Device<Memory>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        assert_eq!(bar, 0);
        let mut value = [0; 8];
        self.0.read(offset, &mut value[..usize::from(bytes)]);
        u64::from_le_bytes(value)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        assert_eq!(bar, 0);
        self.0
            .write(offset, &value.to_le_bytes()[..usize::from(bytes)]);
    }
}

/// What a device is offered as.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    pub vectors: u32,
    pub vis: bool,
    pub msi: Option<(Layout, bool)>,
    pub notification: Option<ims_virtio::layout::msi::Notification>,
}

impl Offer {
    pub const fn nothing() -> Self {
        Self {
            vectors: 64,
            vis: false,
            msi: None,
            notification: None,
        }
    }
}

/// `device` in a register block.
pub fn mmio<D, K, L>(device: Arc<D>, memory: &Memory, sink: K, line: L, offer: Offer) -> Wired
where
    D: Device<Memory>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    let options = MmioOptions {
        requester: REQUESTER,
        msi: offer.msi.map(|(layout, sharing)| msi::Offer {
            layout,
            vectors: offer.vectors,
            sharing,
            notification: offer.notification,
        }),
        vis: offer.vis.then_some(vis::Offer {
            vectors: offer.vectors,
        }),
        ..MmioOptions::default()
    };
    let mmio = Mmio::new(device, Arc::clone(memory), sink, line, options).unwrap();
    Wired(Arc::new(Block0(mmio)))
}

/// A file of the test's own, gone with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(bytes: u64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-virtio-driver-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = File::create_new(&path).unwrap();
        file.set_len(bytes).unwrap();
        file.flush().unwrap();
        Self(path)
    }

    pub fn contents(&self) -> Vec<u8> {
        std::fs::read(&self.0).unwrap()
    }

    pub fn path(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A host whose soft CPUs take what the backing raises.
pub struct Backing {
    pub interrupts: BackingInterrupts,
    _device: ims_host::Device,
    _host: Host,
}

pub fn backing() -> Backing {
    let host = Host::new();
    let unit = host.add_unit(256, 4).unwrap();
    let space = host.add_space(2, Form::Apic).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let table = Table::new(128, CookieUse::Opaque);
    let domain = device.add_domain(DomainKind::Ims, 0, &unit, table).unwrap();
    Backing {
        interrupts: BackingInterrupts::new(&host, domain, space, None),
        _device: device,
        _host: host,
    }
}

pub fn block(scratch: &Scratch, backing: &Backing, queues: u16) -> Arc<Block> {
    let options = BlockOptions {
        queues,
        queue_size: 64,
        id: String::from("a disk of the test"),
        ..BlockOptions::default()
    };
    let disk = Disk::open(scratch.path(), false).unwrap();
    Arc::new(Block::new(disk, backing.interrupts.clone(), &options).unwrap())
}

/// Takes everything of this layout.
pub fn all(layout: Layout) -> Accept {
    Accept {
        vis: true,
        msi: Some(layout),
        notification: true,
        msix: true,
    }
}
