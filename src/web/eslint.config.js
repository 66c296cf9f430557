// Checks what the type checker does not: run "npm run lint" in tools/.

import { createRequire } from 'node:module';

const need = createRequire(new URL('./tools/package.json', import.meta.url));
const js = need('@eslint/js');
const globals = need('globals');

export default [
  { ignores: ['**/node_modules/**'] },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: { globals: { ...globals.browser, NOVNC_VERSION: 'readonly' } },
  },
  {
    files: ['**/eslint.config.js', '**/*.mjs'],
    languageOptions: { globals: globals.node },
  },
  {
    rules: {
      'array-callback-return': 'error',
      curly: ['error', 'multi-line'],
      eqeqeq: ['error', 'always'],
      'max-len': ['error', { code: 140, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreComments: true }],
      'max-lines': ['error', 320],
      'no-alert': 'off', // the small page asks about a server's identity by confirm()
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-restricted-properties': ['error',
        { property: 'innerHTML', message: 'Text from outside enters by textContent.' },
        { property: 'outerHTML', message: 'Text from outside enters by textContent.' },
        { property: 'insertAdjacentHTML', message: 'Text from outside enters by textContent.' }],
      'no-shadow': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'prefer-template': 'error',
    },
  },
  { files: ['**/*.mjs'], rules: { 'no-console': 'off' } },
  {
    // what they hand to a browser stands among what runs here
    files: ['tests/**'],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: {
      'max-len': 'off',
      'max-lines': 'off',
      'no-empty': ['error', { allowEmptyCatch: true }],
      'no-restricted-properties': 'off',
      'no-shadow': 'off',
    },
  },
];
