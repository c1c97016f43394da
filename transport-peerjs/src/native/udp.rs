//! Sockets of datagrams: one for each family of addresses, on every interface.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// The port and the addresses at which others reach this side.
///
/// By default that is every address of this machine that others may reach, at any free port.
/// Whoever is behind a firewall opens a port in it and names that one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// The UDP port at which those who dial this side reach it; 0 is any free one. A dial of this
    /// side's has a port of its own.
    pub port: u16,
    /// The addresses of this machine that others are told. An empty list is those of all
    /// interfaces but loopback, or loopback's if there are no others.
    pub addresses: Vec<IpAddr>,
}

/// Most addresses that others are told. Each is tried with each of the other side's.
const MAX_ADDRESSES: usize = 16;

/// Bytes that the system is asked to hold in each direction. A burst for a thousand links is one
/// megabyte; what does not fit is lost and sent again.
const BUFFER: usize = 2 * 1024 * 1024;

/// Datagrams that are read at once, and the bytes that each may have. The system may join several
/// from the same sender into one.
const BATCH: usize = 4;
const LONGEST: usize = 64 * 1024;

const AFTER_AN_ERROR: Duration = Duration::from_millis(5);

/// A datagram that came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: &'a [u8],
}

/// A socket for each family of addresses that this machine has. Dropping it closes them.
#[derive(Debug)]
pub(super) struct Port {
    sockets: Vec<Socket>,
}

#[derive(Debug)]
struct Socket {
    udp: Arc<Udp>,
    reader: Option<AbortHandle>,
}

#[derive(Debug)]
struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Port {
    /// Opens a port. Nothing comes before it is [read](Self::read).
    pub(super) fn open(port: u16, runtime: &Handle) -> io::Result<Self> {
        // Sockets are made with the runtime that reads them, whoever calls.
        let _here = runtime.enter();
        let v4 = bind((Ipv4Addr::UNSPECIFIED, port).into());
        let v6 = bind((Ipv6Addr::UNSPECIFIED, port).into());
        // A machine may have only one of the families. But a port that somebody else has is none
        // of this side's, whatever the other family says.
        let errors = || {
            [&v4, &v6]
                .into_iter()
                .filter_map(|made| made.as_ref().err())
        };
        let is_taken = errors().any(|error| error.kind() == io::ErrorKind::AddrInUse);
        if is_taken {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        if let (Err(error), Err(_)) = (&v4, &v6) {
            return Err(error.kind().into());
        }
        let made = v4.into_iter().chain(v6);
        let sockets = made.map(|udp| Socket {
            udp: Arc::new(udp),
            reader: None,
        });
        Ok(Self {
            sockets: sockets.collect(),
        })
    }

    /// Hands over what comes, on tasks of the runtime, until it is dropped.
    pub(super) fn read<D>(&mut self, runtime: &Handle, deliver: &D)
    where
        D: Fn(&[Datagram<'_>]) + Clone + Send + 'static,
    {
        for socket in &mut self.sockets {
            let reader = runtime.spawn(read(Arc::clone(&socket.udp), deliver.clone()));
            socket.reader = Some(reader.abort_handle());
        }
    }

    /// The addresses at which others may reach it.
    pub(super) fn hosts(&self, listen: &Listen) -> Vec<SocketAddr> {
        let mut ips = listen.addresses.clone();
        if ips.is_empty() {
            ips = of_interfaces();
        }
        let at = |ip: IpAddr| {
            let udp = self.of_family(ip)?;
            Some(SocketAddr::new(ip, udp.local.port()))
        };
        ips.into_iter().filter_map(at).take(MAX_ADDRESSES).collect()
    }

    /// Sends a datagram, from one of this machine's addresses or from whichever leads there. One
    /// for which there is no room, or no way, is lost, as any may be.
    pub(super) fn send(&self, from: Option<IpAddr>, to: SocketAddr, bytes: &[u8]) {
        let Some(udp) = self.of_family(to.ip()) else {
            return;
        };
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: from,
        };
        let _ = udp.state.try_send(UdpSockRef::from(&udp.socket), &transmit);
    }

    fn of_family(&self, ip: IpAddr) -> Option<&Udp> {
        let mut all = self.sockets.iter().map(|socket| &*socket.udp);
        all.find(|udp| udp.local.is_ipv4() == ip.is_ipv4())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<Udp> {
    use socket2::{Domain, Socket, Type};

    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        // The other family has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let socket: StdSocket = socket.into();
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    // Less than that works, too.
    let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), BUFFER);
    let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), BUFFER);
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    Ok(Udp {
        socket: UdpSocket::from_std(socket)?,
        state,
        local,
    })
}

/// Reads for as long as the socket can be read.
async fn read(udp: Arc<Udp>, deliver: impl Fn(&[Datagram<'_>])) {
    loop {
        if poll_fn(|cx| udp.socket.poll_recv_ready(cx)).await.is_err() {
            return;
        }
        // Nothing waits with them: a thread has them for all its sockets, of which a dial has two.
        let came = BUFFERS.with_borrow_mut(|buffers| {
            buffers.resize_with(BATCH, || vec![0; LONGEST]);
            receive(&udp, buffers, &deliver)
        });
        match came {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It is of a datagram that was sent before, and says nothing of the next. One that
            // stays must not take the processor.
            Err(_) => sleep(AFTER_AN_ERROR).await,
        }
    }
}

thread_local! {
    /// The memory in which datagrams lie while they are read.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Takes what the socket has, up to a batch.
fn receive(
    udp: &Udp,
    buffers: &mut [Vec<u8>],
    deliver: &impl Fn(&[Datagram<'_>]),
) -> io::Result<()> {
    let mut metas = [RecvMeta::default(); BATCH];
    let count = udp.socket.try_io(Interest::READABLE, || {
        let mut slices = slices(buffers);
        let socket = UdpSockRef::from(&udp.socket);
        udp.state.recv(socket, &mut slices, &mut metas)
    })?;
    let read = metas.iter().zip(buffers).take(count);
    let datagrams: Vec<_> = read
        .flat_map(|(meta, buffer)| {
            let ip = meta.dst_ip.unwrap_or_else(|| udp.local.ip());
            let whole = buffer.get(..meta.len).unwrap_or_default();
            let destination = SocketAddr::new(ip, udp.local.port());
            whole.chunks(meta.stride.max(1)).map(move |bytes| Datagram {
                source: meta.addr,
                destination,
                bytes,
            })
        })
        .collect();
    deliver(&datagrams);
    Ok(())
}

fn slices(buffers: &mut [Vec<u8>]) -> Vec<IoSliceMut<'_>> {
    let slices = buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer));
    slices.collect()
}

/// Every address that this machine has.
pub(super) fn of_this_machine() -> BTreeSet<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let up = all.iter().filter(|interface| interface.is_oper_up());
    up.map(|interface| interface.ip()).collect()
}

/// The addresses of this machine that others may reach.
fn of_interfaces() -> Vec<IpAddr> {
    let mut all = if_addrs::get_if_addrs().unwrap_or_default();
    // Those of one cable only need the interface's name beside them.
    all.retain(|interface| interface.is_oper_up() && !interface.is_link_local());
    let others: Vec<_> = all
        .iter()
        .filter(|interface| !interface.is_loopback())
        .map(|interface| interface.ip())
        .collect();
    if others.is_empty() {
        all.iter().map(|interface| interface.ip()).collect()
    } else {
        others
    }
}
