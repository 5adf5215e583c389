//! The bare floor: a server that only writes a ready-made frame to each socket.
//!
//! It knows nothing: neither who is there nor what is said. Any message of the first connection makes it write its one
//! frame to all others, by one plain write each.

use std::{
    io::{self, BufReader, ErrorKind, Read, Write as _},
    net::{TcpListener, TcpStream},
};

use collabflow_protocol::frame::Frame;

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// Takes so many connections, then writes `text` to all but the first whenever that says something, until it ends.
pub(crate) fn run(text: &str, connections: usize) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let mut sockets = (0..connections)
        .map(|_| accept(&listener))
        .collect::<io::Result<Vec<_>>>()?;
    let first = sockets.remove(0);
    first.set_nonblocking(false)?;
    let mut first = BufReader::new(first);
    let frame = Frame::from_text(text).websocket();
    while skip_message(&mut first).is_ok() {
        for socket in &mut sockets {
            let written = socket.write(&frame)?;
            anyhow::ensure!(written == frame.len(), "a socket was full");
        }
    }
    Ok(())
}

/// Reads one message of a client, and makes nothing of it.
fn skip_message(reader: &mut impl Read) -> io::Result<()> {
    const MASK_BYTES: usize = 4;
    let mut header = [0; 2];
    reader.read_exact(&mut header)?;
    let mut length = usize::from(header[1] & 0x7f);
    if length > 125 {
        let mut long = [0; 2];
        reader.read_exact(&mut long)?;
        length = u16::from_be_bytes(long).into();
    }
    reader.read_exact(&mut vec![0; MASK_BYTES + length])
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => head.extend(&buffer[..count]),
        }
    }
    socket.write_all(SWITCH)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
