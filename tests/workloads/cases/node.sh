# image: servers
# quick: yes
# status: 5
# instead: watch ok => watch ENOSYS
# Lambda has no inotify.

cat > child.js <<'END'
process.on('message', m => { process.send(m + '!' + process.argv.length); });
END
cat > main.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const cp = require('child_process'), crypto = require('crypto'), fs = require('fs'), net = require('net'), os = require('os'), zlib = require('zlib');
const here = process.cwd();

if (!isMainThread) {
	let s = 0;
	for (let i = 0; i < 3e6; i++) s = (s + i * workerData) % 1000003;
	parentPort.postMessage(s);
	return;
}

const work = n => new Promise((ok, no) => new Worker(__filename, { workerData: n }).on('message', ok).on('error', no));
const done = f => new Promise(f);

(async () => {
	console.log((await Promise.all([1, 2, 3, 4, 5, 6].map(work))).join());
	console.log(cp.execSync('echo $0').toString().trim(), cp.spawnSync('sh', ['-c', 'exit 7']).status, cp.spawnSync('nosuch').error.code);
	await done(ok => {
		const c = cp.fork('child.js');
		c.on('message', m => { console.log('fork', m); c.disconnect(); });
		c.on('exit', code => { console.log('exit', code); ok(); });
		c.send('hi');
	});
	await done(ok => {
		const c = cp.spawn('sleep', ['100']);
		c.on('exit', (code, signal) => { console.log(code, signal); ok(); });
		c.kill();
	});
	const d = fs.mkdtempSync(here + '/d-');
	fs.writeFileSync(d + '/a', 'x');
	fs.symlinkSync('a', d + '/l');
	console.log(fs.readdirSync(d), fs.realpathSync.native(d + '/l') === d + '/a', (await fs.promises.readFile(d + '/l')).toString());
	await fs.promises.cp(d, d + '2', { recursive: true });
	console.log(fs.readdirSync(d + '2'));
	fs.rmSync(d, { recursive: true });
	console.log(process.execPath, os.userInfo().username, os.cpus().length, process.title, here);
	await done(ok => {
		const s = net.createServer(c => c.end('pong'));
		s.listen(here + '/sock', () => net.connect(here + '/sock').on('data', x => { console.log(x.toString(), s.address()); s.close(ok); }));
	});
	await done(ok => zlib.gzip(Buffer.alloc(1e6), (e, b) => { console.log(b.length); ok(); }));
	await done(ok => crypto.pbkdf2('a', 'b', 1000, 20, 'sha256', (e, k) => { console.log(k.toString('hex')); ok(); }));
	const module = new WebAssembly.Module(Buffer.from('0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b', 'hex'));
	console.log(new WebAssembly.Instance(module).exports.add(2, 40));
	try { fs.watch(here, () => {}).close(); console.log('watch ok'); } catch (e) { console.log('watch', e.code); }
	fs.writeFileSync('watched', '1');
	await done(ok => {
		fs.watchFile('watched', { interval: 50 }, () => { console.log('watchFile'); fs.unwatchFile('watched'); ok(); });
		setTimeout(() => fs.writeFileSync('watched', '22'), 200);
	});
	process.on('SIGUSR2', () => { console.log('SIGUSR2'); process.exit(5); });
	process.kill(process.pid, 'SIGUSR2');
	setTimeout(() => {}, 3000);
})();
END
node main.js
