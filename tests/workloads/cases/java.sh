# image: java
# instead: watch true => watch: java.io.IOException: Function not implemented
# Lambda has no inotify.

cat > Main.java <<'END'
import java.io.*;
import java.net.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

public class Main {
	static class Node { int[] values; }

	static int depth(int n) { return depth(n + 1) + 1; }

	static void tooDeep() { try { depth(0); } catch (StackOverflowError e) { System.out.println("too deep"); } }

	static void threads() throws Exception {
		var pool = Executors.newFixedThreadPool(8);
		var futures = new ArrayList<Future<Long>>();
		for (int i = 0; i < 32; i++) {
			final int k = i;
			futures.add(pool.submit(() -> { long s = 0; for (int j = 0; j < 3_000_000; j++) s += (j * 31L) ^ k; return s; }));
		}
		long total = 0;
		for (var f : futures) total += f.get();
		pool.shutdown();
		System.out.println(total);
	}

	/* What HotSpot finds out by SIGSEGV. */
	static void faults() throws Exception {
		int seen = 0;
		for (int i = 0; i < 100000; i++) {
			Node n = i % 2 == 0 ? null : new Node();
			try { seen += n.values.length; } catch (NullPointerException e) { seen++; }
		}
		System.out.println(seen);
		tooDeep();
		var small = new Thread(null, Main::tooDeep, "small", 512 << 10);
		small.start();
		small.join();
		try { var all = new byte[10000][]; for (int i = 0; i < all.length; i++) all[i] = new byte[16 << 20]; } catch (OutOfMemoryError e) { System.out.println("out of memory"); }
	}

	static void children() throws Exception {
		var p = new ProcessBuilder("sh", "-c", "echo child; cat; exit 3").redirectErrorStream(true).start();
		p.getOutputStream().write("in\n".getBytes());
		p.getOutputStream().close();
		System.out.print(new String(p.getInputStream().readAllBytes()));
		System.out.println(p.waitFor());
		try { new ProcessBuilder("nosuch").start(); } catch (IOException e) { System.out.println(e.getMessage()); }
	}

	static void files() throws Exception {
		Path d = Files.createTempDirectory(Path.of("").toAbsolutePath(), "d"), f = d.resolve("a");
		Files.writeString(f, "hello");
		System.out.println(Files.readString(f) + Files.size(f) + Files.getOwner(f));
		try (var channel = FileChannel.open(f, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			channel.map(FileChannel.MapMode.READ_WRITE, 0, 4096).put(0, (byte) 'J').force();
		}
		System.out.println((char) Files.readAllBytes(f)[0]);
		try {
			var watch = FileSystems.getDefault().newWatchService();
			d.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
			Files.writeString(d.resolve("b"), "x");
			System.out.println("watch " + (watch.poll(15, TimeUnit.SECONDS) != null));
		} catch (IOException e) {
			System.out.println("watch: " + e);
		}
	}

	static void network() throws Exception {
		var server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
		var thread = new Thread(() -> { try (var s = server.accept()) { s.getOutputStream().write("net\n".getBytes()); } catch (IOException e) { e.printStackTrace(); } });
		thread.start();
		try (var s = new Socket(server.getInetAddress(), server.getLocalPort())) { System.out.print(new String(s.getInputStream().readAllBytes())); }
		thread.join();
	}

	public static void main(String[] args) throws Exception {
		threads();
		faults();
		children();
		files();
		network();
		System.out.println(ProcessHandle.current().info().command().orElse("?") + " " + new File("/proc/self/exe").getCanonicalPath());
		System.out.println(System.getProperty("user.name") + " " + System.getProperty("user.dir"));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
		new ProcessBuilder("sh", "-c", "kill -TERM " + ProcessHandle.current().pid()).start().waitFor();
		Thread.sleep(5000);
	}
}
END
java -version 2>&1 | head -1
javac Main.java
java -Xmx512m Main
for how in FORK VFORK POSIX_SPAWN; do
	echo 'public class Start { public static void main(String[] a) throws Exception { System.exit(new ProcessBuilder("sh", "-c", "exit 4").start().waitFor()); } }' > Start.java
	java -XX:TieredStopAtLevel=1 -Djdk.lang.Process.launchMechanism=$how Start.java
	echo "$how $?"
done
javac Start.java
for collector in Serial Parallel G1 Z Shenandoah; do
	java -XX:+Use${collector}GC -Xmx256m -Xlog:disable -cp . Start
	echo "$collector $?"
done
