// The old client's auth store. There it is a zustand store; here the two ways in which it is used:
// `useAuthStore()` in a component, and `useAuthStore.getState()` elsewhere.

let state = { token: null, user: null, isAuthenticated: false };

export const useAuthStore = () => state;

useAuthStore.getState = () => state;

/** What the login page does with its answer. */
useAuthStore.signIn = (token, user) => {
  state = { token, user, isAuthenticated: true };
};
