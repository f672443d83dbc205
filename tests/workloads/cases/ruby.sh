# image: languages

cat > main.rb <<'END'
require 'digest'; require 'etc'; require 'json'; require 'open3'; require 'socket'; require 'tempfile'; require 'timeout'; require 'zlib'

p (1..4).map { |i| Thread.new { (1..200_000).sum { |x| x * i } } }.map(&:value)
r, w = IO.pipe
pid = fork { r.close; w.puts "child #{Process.ppid > 0}"; exit! 4 }
w.close
puts r.read
Process.wait pid
p $?.exitstatus
out, err, status = Open3.capture3('cat; echo err >&2; exit 2', stdin_data: 'in')
p out, err, status.exitstatus, `echo back`, system('false'), system('nosuchcmd')
Tempfile.create { |f| f.write 'x' * 10; f.flush; p File.size(f.path) }
UNIXServer.open('sock') do |server|
  t = Thread.new { c = server.accept; c.puts 'hi'; c.close }
  UNIXSocket.open('sock') { |c| p c.read, c.peeraddr }
  t.join
end
p Etc.getpwuid.name, Dir.pwd, RbConfig.ruby, $0, File.realpath('/proc/self/exe')
begin Timeout.timeout(0.2) { sleep }; rescue Timeout::Error; puts 'timeout'; end
def deep(n) = deep(n + 1)
begin deep 0; rescue SystemStackError; puts 'too deep'; end
trap('USR1') { puts 'usr1' }
Process.kill('USR1', $$)
sleep 0.1
f = Fiber.new { Fiber.yield 1; 2 }
p f.resume, f.resume
pids = 3.times.map { |i| fork { exit i } }
p pids.map { |x| Process.wait2(x)[1].exitstatus }, Digest::SHA256.hexdigest('a'), Zlib.inflate(Zlib.deflate('z'))
File.open('lock', 'w') { |x| p x.flock(File::LOCK_EX | File::LOCK_NB) }
GC.compact if GC.respond_to?(:compact)
exec 'echo', 'exec ok'
END
ruby main.rb
